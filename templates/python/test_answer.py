import unittest

from answer import answer


class Answer(unittest.TestCase):
    def test_the_command_is_answered_and_nothing_else(self):
        self.assertEqual(answer("/{{name}}", "Alice"), "Hello, Alice!")
        self.assertIsNone(answer("good morning", "Alice"))


if __name__ == "__main__":
    unittest.main()
