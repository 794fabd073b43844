"""Reading a user pool: the client, the decoder, the rate limit and the listings."""
