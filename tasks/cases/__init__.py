"""Cases (事件): one matter enters by one door, is routed, watched and closed, and leaves a trace nobody can change."""
