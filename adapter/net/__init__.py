"""HTTP on the network: the client of users and events, and the server of probes, metrics and the status page."""
