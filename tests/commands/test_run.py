"""What run.py refuses. Without bwrap and the programs only the reading of pages is tested."""
import json, os, pathlib, sys, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import run


def problems(text):
    found = []
    for line in run.markdown("page.md", text, found): found += run.check(line)
    return found


class Reading(unittest.TestCase):
    def test_lines_are_joined_and_marked_by_their_first_words(self):
        text = "<!-- needs gpu: edge bench -->\n<!-- needs data: trainer -->\n```sh\nedge bench \\\n  --json\nedge caption a && trainer score\n```\n\n```toml\nx = 1\n```\n"
        lines = run.markdown("page.md", text, [])
        self.assertEqual([(line.place, line.text, line.needs) for line in lines],
                         [("page.md:5", "edge bench --json", "gpu"), ("page.md:6", "edge caption a && trainer score", None)])
        self.assertEqual(problems(text), [])

    def test_what_nobody_can_execute_is_an_error(self):
        for text, expected in [
            ("```sh\nedje caption images/\n```\n", "page.md:2: 'edje' is no program"),
            ("```sh\nedge caption a && edje\n```\n", "'edje' is no program"),
            ("```sh\ntests/no.sh\n```\n", "'tests/no.sh' is no program"),
            ("```sh\nedge/deploy/flash.sh user@jetson --bumdle x\n```\n", "has no option --bumdle"),
            ("```sh\ncargo run -p edje -- caption\n```\n", "no package edje"),
            ("```sh\ncargo build -p trainer --features mpj\n```\n", "no feature mpj"),
            ("```console\nedge caption images/\n```\n", "expected ```sh"),
            ("<!-- needs luck -->\n```sh\nedge caption images/\n```\n", "needs luck, expected one of"),
            ("<!-- needs gpu -->\nThen:\n", "a mark stands before no block"),
        ]:
            with self.subTest(text): self.assertIn(expected, "\n".join(problems(text)))

    def test_examples_are_commands_with_two_spaces(self):
        text = "Examples:\n  trainer ablate \\\n    --table 4\n      Trains.\n  edge run --config edge.toml\n\nFiles:\n  /etc/cssa\n"
        self.assertEqual([(line.number, line.text, line.needs) for line in run.examples("a.txt", text)],
                         [(3, "trainer ablate --table 4", "hours"), (5, "edge run --config edge.toml", None)])


@unittest.skipUnless(run.PLACE.joinpath("inputs").is_dir() and "PROGRAMS" in os.environ, "run.py has made no inputs")
class Executing(unittest.TestCase):
    def outcome(self, *lines):
        plan = run.PLACE / "test-plan"
        plan.write_text(json.dumps(["test.md", list(enumerate(lines, 1))]))
        ran = run.boxed(sys.executable, run.__file__, "--page", plan)
        return ran.returncode, ran.stderr

    def test_a_command_that_fails_is_named_with_its_place(self):
        code, said = self.outcome("edge caption images/", "edge caption nowhere/")
        self.assertEqual(code, 1)
        self.assertIn("test.md:2: edge caption nowhere/", said)
        self.assertIn("nowhere/: no such file", said)

    def test_nothing_outside_is_written_and_no_network_is_there(self):
        name = f"/tmp/cssa-commands-{os.getpid()}"
        self.assertEqual(self.outcome(f"echo x > {name}")[0], 0)
        self.assertFalse(os.path.exists(name), "the box has a /tmp of its own")
        self.assertEqual(self.outcome(f"echo x > {run.CHECKOUT}/x")[0], 1)
        code, said = self.outcome("python3 -c 'import socket; socket.create_connection((\"1.1.1.1\", 80), 1)'")
        self.assertEqual(code, 1)
        self.assertIn("Network is unreachable", said)

    def test_what_runs_until_it_is_stopped_must_start(self):
        code, said = self.outcome("ground map --archive no.gpkg")
        self.assertEqual(code, 1)
        self.assertIn("no.gpkg", said)


if __name__ == "__main__":
    unittest.main()
