"""Runs committed models: pre-processing of raw inputs, and ONNX sessions."""
