"""JavaScript and TypeScript imports lead to the declarations after them."""

from pathlib import Path

import pytest

from tests.prompt.projects import definitions, write

FILES = {
    "src/user.ts": """
/** A user.
 * More. */
export class User extends Base {
  private secret = 1;
  name: string = "";
  constructor(name: string) { super(); this.name = name; }
  async rename(to: string): Promise<void> { this.name = to; }
}
export interface Shape { area(): number }
export type Id = string | number;
export const make = (id: Id): User => { return new User("x"); };
""",
    "src/index.ts": 'export { User as Person } from "./user";\nexport * from "./math";\n',
    "src/math.ts": "export function add(a: number, b: number): number { return a + b; }\n",
    "src/default.ts": "class Engine { start(): void {} }\nexport default Engine;\n",
    "src/direct.tsx": "export default function Button(props: Props) { return <b/>; }\n",
    "lib/old.js": "function legacy(a) { return a; }\nfunction other() {}\nmodule.exports = { legacy, other };\n",
}
USER = """// A user.
export class User extends Base {
    name: string = ""
    constructor(name: string);
    async rename(to: string): Promise<void>;
}
"""
ADD = "export function add(a: number, b: number): number\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('import { User } from "./user";\nnew User(‸', {"src/user.ts": USER}),
        ('import { User as U } from "./user.js";\nnew U(‸', {"src/user.ts": USER}),
        ('import type { Id } from "./user";\nlet x: Id‸', {"src/user.ts": "export type Id = string | number;\n"}),
        ('import { make } from "@/user";\nmake(‸', {"src/user.ts": "export const make = (id: Id): User\n"}),
        ('import { Person, add } from "./index";\nadd(Person‸', {"src/user.ts": USER, "src/math.ts": ADD}),
        ('import { add } from ".";\nadd(‸', {"src/math.ts": ADD}),
        ('import * as m from "./math";\nm.add(‸', {"src/math.ts": ADD}),
        (
            'import Motor from "./default";\nnew Motor(‸',
            {"src/default.ts": "class Engine {\n    start(): void;\n}\n"},
        ),
        (
            'import Button from "./direct";\nButton(‸',
            {"src/direct.tsx": "export default function Button(props: Props)\n"},
        ),
        ('import fs from "fs";\nimport x from "react";\nfs.‸', {}),
    ],
)
def test_typescript(tmp_path: Path, text: str, expected: dict[str, str]) -> None:
    write(tmp_path, FILES)
    assert definitions(tmp_path, "src/main.ts", text) == expected


def test_commonjs(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    legacy = {"lib/old.js": "function legacy(a)\n"}
    assert definitions(tmp_path, "lib/a.js", 'const { legacy } = require("./old");\nlegacy(‸') == legacy
    assert definitions(tmp_path, "lib/a.js", "const { legacy: l } = require('./old.js');\nl(‸") == legacy
    module = definitions(tmp_path, "lib/a.js", "const old = require('./old');\nold.legacy(‸")
    assert module["lib/old.js"].startswith("function legacy(a)\n")
