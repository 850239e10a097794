"""SQL, blobs and keys: the only room that knows how anything is kept."""
