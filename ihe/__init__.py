"""IHE messages between communities: discovery, query, retrieve; values in, XML out, no I/O."""
