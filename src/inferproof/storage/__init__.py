"""What is kept: order book and registry in SQL, blobs and compiled models in files."""
