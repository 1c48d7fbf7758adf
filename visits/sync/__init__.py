"""Phone sync: what a phone pulls by cursor and what it pushes op by op; nothing lost, nothing twice."""
