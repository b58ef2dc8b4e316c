"""C and C++ includes lead to the declarations after them."""

from pathlib import Path

from tests.prompt.projects import definitions, write

FILES = {
    "include/shop/list.h": """#ifndef LIST_H
#define LIST_H
#define LIST_MAX 16
typedef struct { int size; } list_t;
struct node { int value; struct node *next; };
/* Append a value. */
int list_push(list_t *list, int value);
static inline int list_size(const list_t *list) { return list->size; }
int list_unused(void);
#endif
""",
    "src/widget.hpp": """namespace ui {
/// Something on the screen.
class Widget : public Base {
 public:
  explicit Widget(int id);
  int id() const { return id_; }
 private:
  int id_;
};
template <typename T> T biggest(T a, T b) { return a; }
}
""",
}


def test_a_quoted_include_beside_the_file(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    text = '#include "widget.hpp"\nint main() { ui::Widget w; ui::biggest(‸ }'
    assert definitions(tmp_path, "src/main.cpp", text) == {
        "src/widget.hpp": "// Something on the screen.\nclass Widget : public Base {\n    explicit Widget(int id);\n"
        "    int id() const;\n}\ntemplate <typename T> T biggest(T a, T b)\n"
    }


def test_an_include_of_the_projects_own_include_folder(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    text = "#include <stdio.h>\n#include <shop/list.h>\nint f(list_t *l) { return list_push(l, LIST_MAX) + list_size(‸"
    assert definitions(tmp_path, "src/deep/main.c", text) == {
        "include/shop/list.h": "#define LIST_MAX 16\ntypedef struct { int size; } list_t;\n"
        "// Append a value.\nint list_push(list_t *list, int value);\n"
        "static inline int list_size(const list_t *list)\n"
    }


def test_an_include_that_leaves_the_project_is_not_read(tmp_path: Path) -> None:
    write(tmp_path / "outside", {"list.h": "int list_push(int);"})
    root = write(tmp_path / "root", {"a.txt": ""})
    for name in ("../outside/list.h", str(tmp_path / "outside/list.h")):
        assert definitions(root, "main.c", f'#include "{name}"\nint x = list_push(‸') == {}
