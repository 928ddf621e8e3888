"""The OpenFeature SDK of Python, driven by lines of JSON: a question in, its details out."""

import json
import os
import sys

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

key = os.environ.get("KEY")
headers = (lambda: {"X-API-Key": key}) if key else None
api.set_provider(OFREPProvider(os.environ["OFREP_ENDPOINT"], headers_factory=headers))
client = api.get_client()
ask = {
    "boolean": client.get_boolean_details,
    "string": client.get_string_details,
    "integer": client.get_integer_details,
    "float": client.get_float_details,
    "object": client.get_object_details,
}
for line in sys.stdin:
    question = json.loads(line)
    attributes = dict(question.get("context") or {})
    context = EvaluationContext(attributes.pop("targetingKey", None), attributes)
    found = ask[question["type"]](question["key"], question["default"], context)
    details = {
        "value": found.value,
        "variant": found.variant,
        "reason": found.reason,
        "errorCode": found.error_code,
        "flagMetadata": found.flag_metadata,
    }
    print(json.dumps({name: value for name, value in details.items() if value is not None}), flush=True)
