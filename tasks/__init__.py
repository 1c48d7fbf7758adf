"""Tasks: cases, the channels they come by, sensing, campaigns."""
