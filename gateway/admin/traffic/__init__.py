"""What passed lately, and whether conversations stay where their words are cached."""
