import unittest

from counting import following, greeting


class Counting(unittest.TestCase):
    def test_it_goes_on_from_what_is_stored(self):
        for stored, expected in [
            (None, 1),
            (b"", 1),
            (b"1", 2),
            (b"41", 42),
            (b"many", 1),
            (b"-1", 1),
            (b"\xff", 1),
            ("٣".encode(), 1),
            (b"4294967295", 4294967295),
            (b"4294967296", 1),
            (b"9" * 10_000, 1),
        ]:
            with self.subTest(stored=stored[:20] if stored else stored):
                self.assertEqual(following(stored), expected)

    def test_the_greeting_names_person_and_number(self):
        self.assertEqual(greeting("张三", 3), "hello, 张三, number 3")


if __name__ == "__main__":
    unittest.main()
