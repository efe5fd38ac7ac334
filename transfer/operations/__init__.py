"""DO THE WORK: one operation for each stage, same file names as managers/. Runs only where the location's storage is."""
