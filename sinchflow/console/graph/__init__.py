"""Flows as pictures: `build` makes a graph of a flow, `mermaid` and `svg` draw it."""
