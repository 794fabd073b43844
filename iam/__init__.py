"""The credentials of the adapter: least-privilege policies, and the access key's whole life."""
