"""Changes one place of the C code at a time, drawn at random, and looks whether a test notices:

    mutation.py COUNT [SEED]               COUNT places, drawn by SEED (1)
    mutation.py COUNT SEED LANE LANES      a share of them, to try them side by side
    mutation.py FILE:LINE:COLUMN...        all that can be changed at these places

Runs in the sources of a server that test/server.sh gave us, of which it replaces the library.
A mutant negates a condition, moves a bound, turns an operator or an answer around, adds one to
a number, or leaves a call out. What the compiler makes the same code of is no mutant. The tests
are, until one notices: some calls beside the model, regression tests, isolation tests, pgTAP,
many calls beside the model, sessions at once, and the TAP tests of the engine. Prints a line a
mutant, and at the end "N killed, N survived". Ends with 1 if one survived for which
mutation.reasons has no reason.
"""
import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

FOLDERS = ("src/counter", "src/order", "src/shop")
TIMEOUT = 240
SWAPS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "&&": "||", "||": "&&",
         "+": "-", "-": "+", "+=": "-=", "-=": "+=", "true": "false", "false": "true"}
TAP = ("008_fuzz", "010_prepared_transaction", "011_cancel", "016_counter_stress", "017_sweep", "043_declarations",
       "051_sweep_hostile", "054_bounds")
# Nothing without assertions or stop points; and what only words a message.
NO_MUTANT = re.compile(r"\b(Assert|AssertMacro|StaticAssert\w*|stop_point|errmsg|errdetail|errhint|PG_FUNCTION_INFO_V1)\(")


def blank(match):
    return re.sub(r"[^\n]", " ", match.group())


def closing(text, start):
    """Where the parenthesis at start is closed."""
    depth = 0
    for at in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if depth == 0:
            return at
    return len(text) - 1


def mutants_of(path):
    """All mutants of a file: (path, position, end, what is there then, kind)."""
    with open(path) as file:
        source = file.read()
    text = re.sub(r'(?s)/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\])\'', blank, source)
    text = re.sub(r"(?m)^#(?:.*\\\n)*.*", blank, text)
    for match in NO_MUTANT.finditer(text):
        end = closing(text, match.end() - 1)
        text = text[:match.start()] + re.sub(r"[^\n]", " ", text[match.start():end + 1]) + text[end + 1:]
    found = []
    bodies = [(match.start(), match.end()) for match in re.finditer(r"(?ms)^\{.*?^\}", text)]

    def add(start, end, new, kind):
        if any(first < start < last for first, last in bodies):
            found.append((path, start, end, new, kind))

    for match in re.finditer(r"\b(?:if|while) (\()", text):
        end = closing(text, match.start(1))
        add(match.start(1), end + 1, f"(!{source[match.start(1):end + 1]})", "negated")
    for match in re.finditer(r"(?<=\s)(<=?|>=?|==|!=|&&|\|\||[-+]=?)(?=\s)", text):
        add(match.start(), match.end(), SWAPS[match.group()], "operator")
    for match in re.finditer(r"(?<![\w.])\d+(?![\w.])", text):
        add(match.start(), match.end(), str(int(match.group()) + 1), "number")
    for match in re.finditer(r"\breturn (true|false);", text):
        add(match.start(1), match.end(1), SWAPS[match.group(1)], "answer")
    for match in re.finditer(r"(?m)^\t+((?:\(void\) )?\w+(\())", text):
        if re.match(r"if|while|for|switch|return", match.group(1)):
            continue
        end = closing(text, match.start(2))
        if text[end + 1:end + 2] == ";":
            left = "".join(c for c in source[match.start(1):end + 1] if c == "\n")
            add(match.start(1), end + 1, "(void) 0" + left, "call")
    return found


def place(mutant):
    with open(mutant[0]) as file:
        before = file.read()[:mutant[1]]
    return f"{mutant[0]}:{before.count(chr(10)) + 1}:{mutant[1] - before.rfind(chr(10))}"


def words(mutant):
    """What is changed to what, and in which function: as in mutation.reasons."""
    path, start, end, new, _ = mutant
    with open(path) as file:
        source = file.read()
    function = re.findall(r"(?m)^(\w+)\(", source[:start])[-1]
    return " ".join(f"{path} {function}: {source[start:end]} => {new}".split())


def run(command, timeout=TIMEOUT, **options):
    """Its exit code, and what it said; a code of its own if it took too long."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                          start_new_session=True, **options) as process:
        try:
            out, _ = process.communicate(timeout=timeout)
            return process.returncode, out
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return "too long", ""


def sql(statement, database="postgres"):
    return run(["psql", "-qXAtc", statement, database], 60)


def settle():
    """Ends what a mutant has left running, one that does not listen too."""
    others = sql("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'")[1]
    for pid in re.findall(r"^\d+$", others, re.MULTILINE):
        sql(f"SELECT pg_terminate_backend({pid}, 5000)")
        if sql(f"SELECT FROM pg_stat_activity WHERE pid = {pid}")[1]:
            os.kill(int(pid), signal.SIGKILL)
    for _ in range(300):
        if sql("SELECT pg_is_in_recovery()")[1] == "f\n":
            break
        time.sleep(0.2)
    else:
        raise SystemExit("the server does not come back")
    for line in sql("SELECT gid, database FROM pg_prepared_xacts")[1].splitlines():
        sql("ROLLBACK PREPARED '{}'".format(*line.split("|")), line.split("|")[1])


class Tests:
    """What may notice a mutant, those that noticed the last ones first."""

    def __init__(self):
        self.names = {kind: self.ask(kind) for kind in ("regression", "isolation", "pgtap")}
        self.names["tap"] = list(TAP)

    @staticmethod
    def ask(kind):
        return run(["sh", "-c", f". test/names.sh; test_names {kind}"])[1].split()

    def by_run(self, kind):
        names = self.names[kind]
        at_once = 1 if kind == "tap" else 12
        for start in range(0, len(names), at_once):
            some = names[start:start + at_once]
            code, out = run(["test/run.sh", *some])
            if code:
                failed = re.findall(r"^test (\S+) +\.\.\. FAILED|^not ok \d+ +-? *(\S+)", out, re.MULTILINE)
                failed = [a or b for a, b in failed if (a or b) in names]
                for name in reversed(failed):
                    names.remove(name)
                    names.insert(0, name)
                return failed[0] if failed else " ".join(some[:3])
        return None

    @staticmethod
    def by_model(script, count, seed):
        for _ in range(3):
            # A session of before may leave something prepared in it while it ends.
            settle()
            sql("DROP DATABASE IF EXISTS mutant WITH (FORCE)")
            code, out = sql("CREATE DATABASE mutant TEMPLATE sound")
            if code == 0:
                break
        if code:
            raise SystemExit(f"no database to try it in: {out}")
        for setting in ("commerce.notify = off", "commerce.max_charge_amount = 4611686018427387904"):
            sql(f"ALTER DATABASE mutant SET {setting}")
        code, out = run(["/usr/bin/python3", f"test/model/{script}", "dbname=mutant", str(count), str(seed)])
        return f"{script} {count}, {code}: {out.strip()}" if code else None

    def noticed(self):
        return (self.by_model("compare.py", 1500, 1) or self.by_run("regression") or self.by_run("isolation")
                or self.by_run("pgtap") or self.by_model("compare.py", 20000, 2) or self.by_model("sessions.py", 5, 1)
                or self.by_run("tap"))


def code_of(path):
    """A digest of what the compiler makes of a file, or None."""
    made = path.replace(".c", ".o")
    if run(["make", "-s", made])[0]:
        return None
    run(["strip", "-g", "-o", "mutant.o", made])
    with open("mutant.o", "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def install(folder):
    if run(["make", "-s", "commerce.so"])[0]:
        raise SystemExit("it cannot be linked")
    shutil.copy("commerce.so", f"{folder}/commerce.so.new")
    os.replace(f"{folder}/commerce.so.new", f"{folder}/commerce.so")


def attempt(mutant, folder, tests):
    """Says who noticed it: a test, None for nobody, "" if it is no mutant."""
    path, start, end, new, _ = mutant
    with open(path) as file:
        source = file.read()
    before = code_of(path)
    try:
        with open(path, "w") as file:
            file.write(source[:start] + new + source[end:])
        if code_of(path) in (None, before):
            return ""
        install(folder)
        return tests.noticed()
    finally:
        with open(path, "w") as file:
            file.write(source)
        settle()


def main():
    everything = [mutant for folder in FOLDERS for name in sorted(os.listdir(folder)) if name.endswith(".c")
                  for mutant in mutants_of(f"{folder}/{name}")]
    if sys.argv[1].isdigit():
        count, seed, lane, lanes = (*map(int, sys.argv[1:]), 1, 1, 1)[:4]
        random.Random(seed).shuffle(everything)
        mine, count = everything[lane - 1::lanes], (count + lanes - lane) // lanes
    else:
        mine = [mutant for mutant in everything if place(mutant) in sys.argv[1:]]
        count = len(mine)
    folder = run([os.environ["PG_CONFIG"], "--pkglibdir"])[1].strip()
    sql("CREATE DATABASE sound")
    sql("CREATE EXTENSION commerce", "sound")
    tests = Tests()
    if by := tests.noticed():
        raise SystemExit(f"it is wrong without a mutant: {by}")
    with open("test/mutation.reasons") as file:
        reasons = {line.strip() for line in file if line.startswith("\t")}
    killed = survived = surprises = 0
    for mutant in mine:
        if killed + survived == count:
            break
        started = time.time()
        by = attempt(mutant, folder, tests)
        if by == "":
            continue
        killed, survived = killed + (by is not None), survived + (by is None)
        surprises += by is None and words(mutant) not in reasons
        print(f"{'killed  ' if by else 'survived'} {place(mutant)} {words(mutant)}"
              f"{f', by {by[:60]!r}' if by else ''} ({time.time() - started:.0f} s)", flush=True)
    print(f"\n{killed} killed, {survived} survived")
    return 1 if surprises else 0


if __name__ == "__main__":
    sys.exit(main())
