"""What operators write about keys, read in one place: times, and limits anew."""
