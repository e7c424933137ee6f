"""Published methods: one file each, from settings to a trained generator."""
