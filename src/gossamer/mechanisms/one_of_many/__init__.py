"""Secret one-of-K draws of critics: plan, door, shards and tapes."""
