"""The messages of the Open Inference Protocol over gRPC, made by `python -m tools.proto` from `inference.proto`."""
