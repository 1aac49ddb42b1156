"""Speed and accuracy of our batch norm beside others', in one run: ``python -m benchmarks``."""
