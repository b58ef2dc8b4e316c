"""LSP's CompletionItemKind: what an analyser says of a name that it lists."""

TEXT, METHOD, FUNCTION, CONSTRUCTOR, FIELD, VARIABLE, CLASS = 1, 2, 3, 4, 5, 6, 7  # TEXT: merely a word of the file
INTERFACE, MODULE, PROPERTY, KEYWORD, SNIPPET = 8, 9, 10, 14, 15
ENUM_MEMBER, CONSTANT, STRUCT = 20, 21, 22
