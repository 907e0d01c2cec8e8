"""The parts of `scripts/test`: places, running, servers, installing, and the checks themselves."""
