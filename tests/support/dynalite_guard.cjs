// dynalite 4.0.0 ends itself when a client is killed in the middle of a request (index.js:212 throws what the request
// reports). Clients are killed here on purpose: go on after exactly that error.
process.on('uncaughtException', (error) => {
  if (error.code !== 'ECONNRESET') {
    console.error(error)
    process.exit(1)
  }
})
