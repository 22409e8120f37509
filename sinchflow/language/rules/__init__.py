"""The rules beyond the schema, one file each."""
