"""Files on disk: run folders, checkpoints, the ledger, configurations, released generators. Nothing else writes."""
