"""What a user would pick instead of fastaif: each peer computes the same numbers."""
