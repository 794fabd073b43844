"""What the DynamoDB store asks of a table and of its role. Constants only: the stacks read them, too."""

from __future__ import annotations

from typing import Final

#: The table's keys, both of type S.
HASH_KEY: Final = "pk"
RANGE_KEY: Final = "sk"
#: The table's time-to-live attribute: DynamoDB may drop an item after that many seconds since the epoch.
TTL_ATTRIBUTE: Final = "x"
#: Everything that the adapter does to the table, and so all that its role needs. TransactWriteItems is allowed by
#: dynamodb:PutItem (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html).
ACTIONS: Final = ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem")
