"""One module a script, of the script's name: what each command does."""
