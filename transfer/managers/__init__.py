"""SCAN AND SCHEDULE: one manager for each stage, same file names as operations/. Database only; runs anywhere."""
