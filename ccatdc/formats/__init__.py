"""How the pages write dates: Django takes these before those of the language."""
