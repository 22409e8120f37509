"""What `sinchflow doctor` looks at, one module per subject; each check gives findings and raises for nobody."""
