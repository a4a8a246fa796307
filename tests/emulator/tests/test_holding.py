"""Calls that get no answer: before they are carried out, and after."""

import json
import time
import unittest

from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError

from support import ACCOUNT, RULES, SESSION, SSM, Case

HASTY = SESSION.create_client("ssm", config=Config(read_timeout=1, retries={"total_max_attempts": 1}))
HELD = RULES / f"{ACCOUNT}.held"


class Holding(Case):
    def setUp(self):
        super().setUp()
        self.addCleanup(self.account)
        self.addCleanup(HELD.unlink, missing_ok=True)

    def account(self, **facts):
        (RULES / f"{ACCOUNT}.account").write_text(json.dumps(facts), encoding="utf-8")

    def held(self, name):
        with self.assertRaises(ReadTimeoutError):
            HASTY.put_parameter(Name=name, Value="x", Type="String")
        self.assertEqual(f"PutParameter Name={name}", HELD.read_text(encoding="utf-8"))
        HELD.unlink()

    def test_a_call_is_held_once_before_it_is_carried_out(self):
        self.account(holds={"every": 1, "when": "before"})
        self.held("/held/before")
        with self.assertRaises(ClientError):
            SSM.get_parameter(Name="/held/before")
        HASTY.put_parameter(Name="/held/before", Value="x", Type="String")
        self.assertFalse(HELD.exists())

    def test_a_call_is_held_after_it_was_carried_out(self):
        self.account(holds={"every": 1, "when": "after"})
        self.held("/held/after")
        time.sleep(0.1)
        self.assertEqual("x", SSM.get_parameter(Name="/held/after")["Parameter"]["Value"])

    def test_every_second_call_that_was_not_made_before_is_held(self):
        self.account(holds={"every": 2, "when": "before"})
        # What other tests of this account made counts too.
        names = [f"/held/{n}" for n in range(6)]
        held = []
        for name in names:
            try:
                HASTY.put_parameter(Name=name, Value="x", Type="String", Overwrite=True)
            except ReadTimeoutError:
                held.append(name)
        self.assertIn(held, (names[::2], names[1::2]))


if __name__ == "__main__":
    unittest.main()
