"""Secret one-of-K draws of critics: plan, releaser, shards and tapes."""
