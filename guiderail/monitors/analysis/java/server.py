"""How the language server for Java is started: a JDK compiles and runs its one source file."""

from pathlib import Path

from guiderail.monitors.analysis.server import Server
from guiderail.text.languages.table import analysed_by

JAVAC = Server(
    name="javac",
    languages=analysed_by("javac"),
    command=(
        "java",
        # Else the class path is the working directory, where a `Locale.class` would stand in for java.util's.
        "--class-path={empty}",
        "-XX:+UseSerialGC",
        "-Xms64m",  # not a share of the machine's memory, which may be more than it is allowed
        "-Xmx3g",
        "-XX:TieredStopAtLevel=1",
        "-Xshare:auto",
        str(Path(__file__).with_name("Analyser.java")),
    ),
    obtain="install a JDK (apt-get install openjdk-17-jdk-headless, or https://adoptium.net)",
    needs=("javac",),
)
