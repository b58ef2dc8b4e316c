"""Tokens and keys of other files reach no prompt, no n-gram, no drafter and no suggestion; secret files stay unread."""

import math
import os
import random
import string
import time
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.decoding.drafting.suffix import Suffix
from guiderail.engine.leaks import without_secrets
from guiderail.engine.project import OpenProject
from guiderail.engine.suggestion import Suggestion, Timings
from guiderail.prompt.context import gather
from guiderail.prompt.ignore import SECRET_FILES, Ignore
from guiderail.prompt.index import ProjectIndex
from guiderail.prompt.secrets.masking import MASK, masked, secrets
from guiderail.prompt.secrets.rules import GENERIC, LEFT_OUT, Rule, rules
from guiderail.text.document import Document
from tests.helpers.models import tiny_model
from tests.helpers.tokens import example

RULES = {rule.name: rule for rule in rules()}


def drawn(rule: Rule, seed: int = 0) -> tuple[str, str]:
    """A text with a secret of this form, and the secret in it."""
    rng = random.Random(f"{rule.name}{seed}")
    for _ in range(200):
        text = example(rule.source, rng)
        match = rule.pattern.search(f"{text}\n")  # which some must not stand before
        if match and rule.is_secret(text, match):
            begin, end = rule.span(match)
            return text, text[begin:end]
    raise AssertionError(f"no example of {rule.name}")


def github(seed: int = 0) -> str:
    return drawn(RULES["github-pat"], seed)[1]


def pem() -> str:
    return drawn(RULES["private-key"])[0]


@pytest.mark.parametrize("name", RULES)
def test_every_form_of_the_list_is_masked(name: str) -> None:
    """Wherever it stands in code, with all that belongs to the token, and the text around it stays."""
    text, secret = drawn(RULES[name])
    code = f"# {RULES[name].keywords[0]}\n\ndef first():\n    return 1\n\n\n{text}\n\n\ndef last():\n    return 2\n"
    found = masked(code)
    assert MASK in found
    assert secret not in found
    assert not secrets(found)
    assert "\n\ndef first():\n    return 1\n" in found
    assert found.endswith("def last():\n    return 2\n")


def test_the_list_is_the_whole_list() -> None:
    """Nothing of gitleaks' file is lost but what is named, nor are the allowances; nothing fails to be read."""
    assert len(RULES) >= 210
    assert not LEFT_OUT & RULES.keys()
    assert {"aws-access-token", "github-pat", "private-key", "jwt", "openai-api-key", "slack-bot-token"} <= RULES.keys()
    assert not secrets("key = 'AKIA" + "IOSFODNN7EXAMPLE'")


def test_the_licence_of_the_list_goes_with_it() -> None:
    """Each licence in the package is named in the metadata, so that a wheel has it among its licences."""
    root = Path(__file__).parents[2]
    named = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["license-files"]
    inside = {path.relative_to(root).as_posix() for path in (root / "guiderail").rglob("LICENSE*")}
    assert "guiderail/prompt/secrets/LICENSE.gitleaks" in inside
    assert inside <= set(named)


def test_a_token_longer_than_its_form_is_masked_whole() -> None:
    token = github() + "AndMore123"
    assert masked(f"a = '{token}'  # here\n") == f"a = '{MASK}'  # here\n"


def test_a_private_key_is_masked_whole_and_what_is_around_it_stays() -> None:
    assert masked(f'A = """\n{pem()}\n"""\nB = 2\n') == f'A = """\n{MASK}\n"""\nB = 2\n'


@given(st.text(alphabet=string.printable + "äß€İ😀", max_size=300))
def test_what_holds_no_secret_is_left_as_it_is(text: str) -> None:
    assert secrets(text) or masked(text) == text


@given(st.text(alphabet="abcxyz äİ€😀\n'\"=", max_size=80), st.text(alphabet="abcxyz äİ€😀\n'\"=", max_size=80))
def test_a_secret_is_found_in_any_text(before: str, after: str) -> None:
    """Letters whose lower case is longer than they are, and others of several bytes, move nothing."""
    token = github()
    assert masked(f"{before} '{token}'{after}") == f"{before} '{MASK}'{after}"


@pytest.mark.parametrize(
    "url", ["postgres://user:{}@host/db", "amqp://:{}@[::1]:5672", "https://a.b%40c:{}@example.org"]
)
@pytest.mark.parametrize("password", ["hunter2", "p:w;x", "long-and-plain", "S3cr%40et", "pa$$w0rd*"])
def test_a_password_in_a_url_is_masked(url: str, password: str) -> None:
    """And nothing else of the URL; what only stands for a password stays."""
    line = f"engine = create('{url}')\n"
    assert masked(line.format(password)) == line.format(MASK)
    for other in ("{password}", "$PASSWORD", "${PASSWORD}", "%s", "%(pw)s", "<password>", "***"):
        assert masked(line.replace("{}", other)) == line.replace("{}", other)
    assert not secrets("'http://host:8080/@scope', 'http://[::1]:80/a@b', 'a://b c:d@e'")


def test_ordinary_code_is_left_alone() -> None:
    """Of the standard library's lines hardly any is masked."""
    lines = masks = 0
    for path in sorted(Path(random.__file__).parent.glob("*.py")):
        text = path.read_text(encoding="utf-8", errors="replace")
        lines += text.count("\n")
        masks += len(secrets(text))
    assert lines > 50_000
    assert masks <= lines / 20_000


NAMES_IN_CODE = [
    ("python", "from transformers import AutoTokenizer, Qwen3ForCausalLM\n"),
    ("python", ">>> from transformers import AutoTokenizer, M2M100ForConditionalGeneration\n"),
    ("python", "def encode(tokenizer: Qwen2TokenizerFast = None) -> None: ...\n"),
    ("python", "if key.dtype == torch.bfloat16 else None\n"),
    ("python", "login(add_to_credential=add_to_credential, skip_if_logged_in=not force)\n"),
    ("python", "batch_size, num_keypoints_0, num_keypoints_1 = similarity.shape\n"),
    ("typescript", "const token = useSelectorOf2_9States ;\n"),
    ("go", "key := sha256SumOf64Bytes (data)\n"),
    (None, "token, Qwen3ForCausalLM\n"),
]
LITERALS = [
    ("python", "{api_key} = '{value}'\n"),
    ("python", 'set("{api_key}", "{value}")\n'),
    ("python", "# {api_key}: {value}\n"),
    ("python", 'url = "https://host/?{api_key}={value}"\n'),
    ("typescript", "// {api_key}={value}\n"),
    ("typescript", "client({{ {api_key}: `{value}` }})\n"),
    ("go", "   * {api_key} = {value} \n"),
    ("yaml", "{api_key}: {value}\n"),
    ("shellscript", "export {api_key}={value}\n"),
    ("dockerfile", "ENV {api_key}={value}\n"),
    ("makefile", "{api_key} := {value}\n"),
    (None, "{api_key}={value}\n"),
]


@pytest.mark.parametrize(("language", "code"), NAMES_IN_CODE)
def test_a_name_of_the_program_is_no_secret(language: str | None, code: str) -> None:
    """In code a text has quotes, and a comma assigns nothing."""
    assert masked(code, language) == code


@pytest.mark.parametrize(("language", "code"), LITERALS)
@pytest.mark.parametrize("api_key", ["api_key", "ACCESS_TOKEN", "password"])
def test_a_random_text_that_is_assigned_is_masked(language: str | None, code: str, api_key: str) -> None:
    """With quotes, in a comment, in a longer text, and where texts need none."""
    value = "a8F3kq92LmZx71QpRt"
    found = masked(code.format(api_key=api_key, value=value), language)
    assert found == code.format(api_key=api_key, value=MASK)


def test_names_in_a_python_file_reach_the_context(tmp_path: Path) -> None:
    """The index tells the language."""
    (tmp_path / "a.py").write_text(NAMES_IN_CODE[0][1])
    assert ProjectIndex(tmp_path).text("a.py") == NAMES_IN_CODE[0][1]


def test_what_git_ignores_in_another_encoding_stays_unread(tmp_path: Path) -> None:
    """Names are bytes to git."""
    name = os.fsdecode("geh\xe4lter.py".encode("latin-1"))
    try:
        (tmp_path / name).write_text("x = 1")
    except OSError:
        pytest.skip("this file system takes names in UTF-8 only")
    (tmp_path / ".gitignore").write_bytes(b"\xef\xbb\xbfgeh\xe4lter.py\n")
    assert Ignore(tmp_path)(tmp_path / name)


def seconds(piece: str, size: int) -> float:
    """Processor time for a line of so many characters made of one piece."""
    line = piece * (size // len(piece))
    began = time.process_time()
    secrets(line)
    return time.process_time() - began


BEGUN = [
    "key ", "key=", "key=a1", "eyJ", "eyAAAAAAAAAAAAAAAAAAA.", "ey" + 20 * "A" + ".ey" + 20 * "A/", "glpat-",
    "-----BEGIN PRIVATE KEY-----", "-----BEGIN ", "ZXlK", "xapp-1-A-", "sk_live_", "sntrys_eyJpYXQiO",
    "https://a.webhook.office.com/",
]  # fmt: skip


@pytest.mark.parametrize("piece", BEGUN)
def test_a_long_line_of_beginnings_takes_linear_time(piece: str) -> None:
    """What an expression might go back and forth on: minutes if each beginning were searched to the end."""
    assert seconds(piece, 200_000) < 3


@pytest.mark.slow
@pytest.mark.parametrize("name", RULES)
def test_each_form_takes_linear_time(name: str) -> None:
    """Lines of its tokens, of broken ones, and of its keywords."""
    text, _ = drawn(RULES[name])
    for piece in {text, text[: len(text) // 2], text[:-1], *RULES[name].keywords}:
        assert seconds(piece, 50_000) < 2, piece[:40]


@pytest.fixture(scope="module")
def tokens() -> list[str]:
    chosen = ("github-pat", "aws-access-token", "stripe-access-token", "slack-bot-token", "jwt", "gitlab-pat")
    return [drawn(RULES[name])[1] for name in chosen]


@pytest.fixture
def project(tmp_path: Path, tokens: list[str]) -> Path:
    (tmp_path / "pyproject.toml").write_text("")
    lines = "".join(f"    client_{number} = connect('{token}')\n" for number, token in enumerate(tokens))
    (tmp_path / "neighbour.py").write_text(
        f"DEFAULT = '{tokens[0]}'\n\n\ndef connect_all(token='{tokens[1]}'):\n    '''Use {tokens[2]}.'''\n{lines}"
    )
    (tmp_path / "keys.py").write_text(f'KEY = """{pem()}"""\n')
    (tmp_path / "app.py").write_text("")
    return tmp_path


APP = "from neighbour import DEFAULT, connect_all\nimport keys\n\nkeys.KEY\n\n\ndef main():\n    client_0 = connect("


def app(project: Path) -> Document:
    return Document(APP, path=project / "app.py", language="python")


@pytest.mark.parametrize("ending", ["'", ".", ",", ")", "<", ":", "\\n", "@example.org", ""])
@pytest.mark.parametrize("name", ["github-pat", "aws-access-token", "stripe-access-token", "jwt", "gcp-api-key"])
def test_a_token_is_found_whatever_follows_it(name: str, ending: str) -> None:
    _, secret = drawn(RULES[name])
    assert secret not in masked(f"# see {secret}{ending}\n")
    assert secret not in masked(f"# see {secret}{ending}")


def test_the_context_holds_no_secret_of_other_files(project: Path, tokens: list[str]) -> None:
    found = gather(app(project), len(APP), project, budget=4000, count=len, seconds=math.inf)
    shown = "".join(snippet.text for snippet in found)
    assert "connect_all" in shown
    assert MASK in shown
    assert {snippet.reason for snippet in found} == {"definition", "similar"}
    for secret in (*tokens, *pem().split("\n")):
        assert secret not in shown


def test_neither_n_grams_nor_drafts_hold_a_secret_of_other_files(project: Path, tokens: list[str]) -> None:
    """Drafts are copied from the texts that are counted; both have the mask where the token was."""
    model = tiny_model("guiderail")
    opened = OpenProject(project, model, ngrams="on", others=True)
    opened.read(app(project), math.inf)
    assert opened.counts is not None
    texts = {name: model.tokenizer.decode(ids) for name, ids in opened.counts.texts.items()}
    assert "connect_all" in texts["neighbour.py"]
    for secret in (*tokens, pem()[40:]):
        assert not any(secret in text for text in texts.values())
    drafter = Suffix(64, model.tokenizer.token_bytes)
    ids = model.tokenizer.encode("    client_0 = connect('")
    drafter.begin(ids, opened.counts)
    draft = drafter.propose(ids, [], 64)
    assert draft is not None
    assert tokens[0] not in model.tokenizer.decode(draft.tree.tokens)


def test_what_was_written_with_a_secret_is_not_copied_into_another_file() -> None:
    """A file's own token is its own: its suggestion is no draft of the next file, nor is the token's end alone."""
    model = tiny_model("guiderail")
    token = github()
    for written in (f"'{token}'\n", f"{token[20:]}'\n"):
        drafter = Suffix(64, model.tokenizer.token_bytes)
        prompt = model.tokenizer.encode("push = send(" + ("'" + token[:20] if written[0] != "'" else ""))
        drafter.begin(prompt, None)
        drafter.finish([*prompt, *model.tokenizer.encode(written)])
        drafter.begin(model.tokenizer.encode("other"), None)
        asked = model.tokenizer.encode("push = send(" + ("'" + token[:20] if written[0] != "'" else ""))
        assert drafter.propose(asked, [], 64) is None
    drafter = Suffix(64, model.tokenizer.token_bytes)
    prompt = model.tokenizer.encode("push = send(")
    drafter.begin(prompt, None)
    drafter.finish([*prompt, *model.tokenizer.encode("harmless, text)\n")])
    drafter.begin(model.tokenizer.encode("other"), None)
    assert drafter.propose(prompt, [], 64) is not None


def suggestion(text: str, at: int) -> Suggestion:
    return Suggestion(text, at, at, 0.0, (), "line", "psm", Timings(1, 0, 0.0, 0.0, 0.0, 0.0))


def test_a_suggested_secret_must_stand_in_the_persons_own_file() -> None:
    token, other = github(), github(1)
    text = f"first = '{token}'\nsecond = "
    document = Document(text, path=Path("a.py"), language="python")
    ours, theirs = suggestion(f"'{token}'", len(text)), suggestion(f"'{other}'", len(text))
    plain = suggestion("'a word'", len(text))
    assert without_secrets(document, [ours, theirs, plain]) == [ours, plain]


def test_the_end_of_a_token_that_was_begun_is_a_secret_too() -> None:
    token = github()
    text = f"a = '{token[:20]}"
    document = Document(text, path=Path("a.py"), language="python")
    assert without_secrets(document, [suggestion(f"{token[20:]}'", len(text))]) == []


NAMES = [
    "auth.json", "my-token.json", "TOKENS.json", "access_token_prod.json", "vault.yml", "vault.yaml", "prod-vault.yml",
    ".vault_pass", "vault-password.txt", "application-dev.yml", "application-prod.yaml", "application-x.properties",
    "gcp-service-account.json", "acme_service_account_1.json", "firebase-adminsdk-x.json", "x-firebase-adminsdk-1.json",
    "app-credentials.json", "my_secret.json", "client-secrets.yaml", "wp-config.php", "wp-config-old.php", ".netrc",
    ".npmrc", ".pypirc", "terraform.tfvars", "x.tfstate", "kubeconfig", "prod.kubeconfig", "id_rsa", "id_ed25519_sk",
    "id_xmss", "id_deploy", "a.pem", "a.pem.bak", "p.kdbx", "credentials.db", ".env.production", "a.env.bak",
    "appsettings.Production.json", "google-services.json", "rclone.conf", "sftp-config.json", "database.yml",
]  # fmt: skip
CODE = [
    "id_map.py", "vault.py", "vault.go", "token.py", "tokenizer.py", "auth.py", "auth.ts", "application.py",
    "credential_store.rs", "secret_santa.py", "service_accounts.go", "Identity.java", "application-main.ts",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("folder", ["", "deep/er"])
def test_files_with_names_of_secrets_stay_unread(tmp_path: Path, name: str, folder: str) -> None:
    path = tmp_path / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x = 1")
    assert Ignore(tmp_path)(path)
    assert ProjectIndex(tmp_path).text(path.relative_to(tmp_path).as_posix()) is None


@pytest.mark.parametrize("name", [name for name in CODE if not name.startswith(("credential", "service_account"))])
def test_code_about_secrets_is_code(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x = 1")
    assert not Ignore(tmp_path)(tmp_path / name)


@given(st.sampled_from(SECRET_FILES), st.text(string.ascii_letters + string.digits, max_size=8), st.booleans())
def test_every_pattern_holds_in_every_case_and_with_anything_for_its_stars(
    pattern: str, filler: str, upper: bool
) -> None:
    name = pattern.replace("*", filler).replace("?", "_")
    assert Ignore(Path("/nowhere")).hides("", name.upper() if upper else name, False)


def test_a_generic_assignment_counts_in_other_files_only() -> None:
    """What has no form of its own may be anything that is random: a suggestion is not dropped for it."""
    text, _ = drawn(RULES[GENERIC])
    assert secrets(text)
    assert not secrets(text, generic=False)


def test_a_letter_that_grows_in_small_hides_no_key() -> None:
    """Keywords are looked for in small letters; where one letter becomes two, places must not shift."""
    assert [chr(code) for code in range(0x110000) if len(chr(code).lower()) > 1] == ["\u0130"]
    key = "xK9d83jJQ7s0pWm2vLz4TbYc"
    text = "\u0130" * 400 + f"\nx = 1\ny = 2\nAPI_KEY = '{key}'\n" + "z = 3\n" * 200
    assert key not in masked(text)
