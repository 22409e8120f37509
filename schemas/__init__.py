"""JSON Schemas of the project's files, for editors and `sinchflow validate`; importable as `sinchflow.schemas`."""
