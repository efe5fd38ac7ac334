"""The weather at a telescope: samples of its stations, and what they say about executions."""
