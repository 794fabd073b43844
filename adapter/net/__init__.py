"""HTTP on the network: the server of probes, metrics and the status page."""
