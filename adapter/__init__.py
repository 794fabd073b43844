"""The polling adapter: reads a Cognito user pool and sends every change as a CloudEvent."""
