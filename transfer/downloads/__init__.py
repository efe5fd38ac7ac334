"""Downloads: files, packages and selections out of the archives over HTTP, verified while they are sent."""
