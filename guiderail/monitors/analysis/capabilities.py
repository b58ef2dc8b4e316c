"""What guiderail tells a language server that it can do."""

from __future__ import annotations

from lsprotocol import types as lsp

_PLAIN = [lsp.MarkupKind.PlainText]
CAPABILITIES = lsp.ClientCapabilities(
    general=lsp.GeneralClientCapabilities(
        position_encodings=[
            lsp.PositionEncodingKind.Utf32,
            lsp.PositionEncodingKind.Utf16,
            lsp.PositionEncodingKind.Utf8,
        ]
    ),
    workspace=lsp.WorkspaceClientCapabilities(configuration=True, workspace_folders=True),
    text_document=lsp.TextDocumentClientCapabilities(
        synchronization=lsp.TextDocumentSyncClientCapabilities(dynamic_registration=False),
        completion=lsp.CompletionClientCapabilities(
            completion_item=lsp.ClientCompletionItemOptions(snippet_support=False)
        ),
        signature_help=lsp.SignatureHelpClientCapabilities(
            signature_information=lsp.ClientSignatureInformationOptions(
                documentation_format=_PLAIN,
                parameter_information=lsp.ClientSignatureParameterInformationOptions(label_offset_support=True),
            )
        ),
        hover=lsp.HoverClientCapabilities(content_format=_PLAIN),
        definition=lsp.DefinitionClientCapabilities(),
        publish_diagnostics=lsp.PublishDiagnosticsClientCapabilities(version_support=True),
        diagnostic=lsp.DiagnosticClientCapabilities(),
    ),
)
