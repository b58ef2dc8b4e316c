import com.sun.source.tree.*;
import com.sun.source.util.*;
import java.io.*;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.*;
import java.util.regex.*;
import java.util.stream.*;
import javax.lang.model.element.*;
import javax.lang.model.type.*;
import javax.lang.model.util.*;
import javax.tools.*;

/**
 * A language server for Java on the compiler of the JDK that runs it: members, signatures and diagnostics of one open
 * file. It runs no build and no annotation processor; what it cannot resolve it reports as incomplete.
 *
 * <p>Started as {@code java Analyser.java}, from Java 11 on; speaks LSP on standard input and output.
 */
final class Analyser {
    /** Stands at the cursor while the compiler reads the text. */
    private static final String PROBE = "guiderail__probe";

    private static final Pattern PACKAGE = Pattern.compile("(?m)^[ \\t]*package\\s+([\\w.]+)\\s*;");
    private static final int MOST_FOLDERS = 20_000;
    private static final long MOST_BYTES = 10_000_000; // of a source or a class
    private static final Set<String> SKIPPED = Set.of("node_modules", ".git", ".gradle", ".idea", "bin", "out");
    private static final int METHOD = 2, CONSTRUCTOR = 4, FIELD = 5, VARIABLE = 6, CLASS = 7, INTERFACE = 8;
    private static final int MODULE = 9, ENUM = 13, ENUM_MEMBER = 20; // LSP's CompletionItemKind

    private final JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    private final StandardJavaFileManager files =
            compiler.getStandardFileManager(null, Locale.ROOT, StandardCharsets.UTF_8);
    private final JavaFileManager outlines = new Outlines();
    private final InputStream in = new BufferedInputStream(System.in);
    private final OutputStream out = new FileOutputStream(FileDescriptor.out);
    private Path root = Path.of("").toAbsolutePath();
    private Set<Path> sourceRoots;
    private String uri = "";
    private String text = "";

    public static void main(String[] arguments) throws IOException {
        System.setOut(System.err); // standard output belongs to the protocol
        new Analyser().serve();
    }

    private void serve() throws IOException {
        // Without places of their own, the compiler's plug-ins are looked for in the project's jars, and started.
        files.setLocationFromPaths(StandardLocation.ANNOTATION_PROCESSOR_PATH, List.of());
        files.setLocationFromPaths(StandardLocation.CLASS_PATH, List.of());
        for (String body; (body = read()) != null; ) {
            Map<String, Object> message = object(new Json(body).value());
            Object id = message.get("id");
            try {
                Object result = handle((String) message.get("method"), object(message.get("params")));
                if (id != null && message.containsKey("method")) {
                    send(entries("jsonrpc", "2.0", "id", id, "result", result));
                }
            } catch (Exception | StackOverflowError | AssertionError error) { // the compiler has its own mistakes
                if (id != null) {
                    Object about = entries("code", -32603, "message", String.valueOf(error));
                    send(entries("jsonrpc", "2.0", "id", id, "error", about));
                }
            }
        }
    }

    private Object handle(String method, Map<String, Object> params) throws IOException {
        switch (method == null ? "" : method) {
            case "initialize":
                if (params.get("rootUri") != null) {
                    root = Path.of(URI.create((String) params.get("rootUri")));
                }
                return entries("capabilities", capabilities());
            case "textDocument/didOpen":
                uri = (String) object(params.get("textDocument")).get("uri");
                text = (String) object(params.get("textDocument")).get("text");
                return null;
            case "textDocument/didChange":
                for (Object change : (List<?>) params.get("contentChanges")) {
                    apply(object(change));
                }
                return null;
            case "workspace/didChangeWatchedFiles":
                sourceRoots = null;
                return null;
            case "textDocument/completion":
                return completions(offset(object(params.get("position"))));
            case "textDocument/signatureHelp":
                return signatures(offset(object(params.get("position"))));
            case "textDocument/diagnostic":
                return entries("kind", "full", "items", diagnostics());
            case "exit":
                System.exit(0);
                return null;
            default:
                return null;
        }
    }

    private static Object capabilities() {
        return entries(
                "positionEncoding", "utf-16",
                "textDocumentSync", 2,
                "completionProvider", entries("triggerCharacters", List.of(".", ":")),
                "signatureHelpProvider", entries("triggerCharacters", List.of("(", ",")),
                "diagnosticProvider", entries("interFileDependencies", true, "workspaceDiagnostics", false));
    }

    // --- the compiler

    /** What the compiler makes of a text. */
    private final class Compiled {
        final DiagnosticCollector<JavaFileObject> found = new DiagnosticCollector<>();
        final CompilationUnitTree unit;
        final Trees trees;
        final Elements elements;
        final Types types;

        /** {@code until} is the last phase: ATTR knows all types, FLOW finds all errors. */
        Compiled(String source, String until) throws IOException {
            List<String> options =
                    List.of("-proc:none", "-XDshould-stop.ifError=" + until, "-Xlint:none", "-Xmaxerrs", "1000");
            JavacTask task = task(source, options, found);
            files.setLocationFromPaths(StandardLocation.SOURCE_PATH, sourceRoots());
            files.setLocationFromPaths(LIBRARIES, libraries());
            unit = task.parse().iterator().next();
            task.analyze();
            trees = Trees.instance(task);
            elements = task.getElements();
            types = task.getTypes();
        }
    }

    private JavacTask task(String source, List<String> options, DiagnosticListener<JavaFileObject> found) {
        Shown file = new Shown(URI.create(uri), source);
        return (JavacTask) compiler.getTask(null, outlines, found, options, null, List.of(file));
    }

    /**
     * Stands for the class path: of a jar in this one the manifest is not read, which can name any file (a FIFO, a jar
     * of another project) as a further part of it.
     */
    private static final JavaFileManager.Location LIBRARIES = new JavaFileManager.Location() {
        @Override
        public String getName() {
            return "LIBRARIES";
        }

        @Override
        public boolean isOutputLocation() {
            return false;
        }
    };

    private static JavaFileManager.Location real(JavaFileManager.Location location) {
        return location == StandardLocation.CLASS_PATH ? LIBRARIES : location;
    }

    /** The project's other sources without what happens inside their methods, kept until they change. */
    private final class Outlines extends ForwardingJavaFileManager<StandardJavaFileManager> {
        private final Map<URI, Outline> kept = new HashMap<>();

        Outlines() {
            super(files);
        }

        @Override
        public Iterable<JavaFileObject> list(
                Location location, String name, Set<JavaFileObject.Kind> kinds, boolean recurse) throws IOException {
            Iterable<JavaFileObject> found = super.list(real(location), name, kinds, recurse);
            boolean sources = location == StandardLocation.SOURCE_PATH;
            if (!sources && real(location) != LIBRARIES) {
                return found; // the JDK's own
            }
            List<JavaFileObject> all = new ArrayList<>();
            for (JavaFileObject file : found) {
                Path path = files.asPath(file);
                if (sources && isReadable(path)) {
                    all.add(kept.computeIfAbsent(file.toUri(), place -> new Outline(file)));
                } else if (!sources && (isPacked(path) || isReadable(path))) {
                    all.add(file);
                }
            }
            return all;
        }

        @Override
        public ClassLoader getClassLoader(Location location) {
            return null; // nothing that the compiler reads is ever run
        }

        @Override
        public <S> ServiceLoader<S> getServiceLoader(Location location, Class<S> service) {
            return ServiceLoader.load(service, ClassLoader.getPlatformClassLoader());
        }

        @Override
        public String inferBinaryName(Location location, JavaFileObject file) {
            return super.inferBinaryName(real(location), file instanceof Outline ? ((Outline) file).whole() : file);
        }

        @Override
        public boolean isSameFile(FileObject one, FileObject other) {
            return one.toUri().equals(other.toUri());
        }
    }

    /** A source of the project, without the bodies of its methods. */
    private final class Outline extends ForwardingJavaFileObject<JavaFileObject> {
        private long changed = -1;
        private String source;

        Outline(JavaFileObject whole) {
            super(whole);
        }

        JavaFileObject whole() {
            return fileObject;
        }

        @Override
        public CharSequence getCharContent(boolean ignoreEncodingErrors) throws IOException {
            long now = getLastModified();
            if (now != changed) {
                source = outlined(toUri(), super.getCharContent(true).toString());
                changed = now;
            }
            return source;
        }
    }

    /** A text that declares the same; bodies of constructors stay, because they may have to call another one. */
    private String outlined(URI place, String source) throws IOException {
        Shown file = new Shown(place, source);
        JavacTask task = (JavacTask) compiler.getTask(
                null, files, nothing -> { }, List.of("-proc:none"), null, List.of(file));
        CompilationUnitTree unit = task.parse().iterator().next();
        SourcePositions places = Trees.instance(task).getSourcePositions();
        StringBuilder kept = new StringBuilder();
        int[] copied = {0};
        new TreeScanner<Void, Void>() {
            @Override
            public Void visitMethod(MethodTree method, Void nothing) {
                int start = method.getBody() == null ? -1 : (int) places.getStartPosition(unit, method.getBody());
                int end = method.getBody() == null ? -1 : (int) places.getEndPosition(unit, method.getBody());
                if (method.getReturnType() != null && start >= copied[0] && end > start) {
                    kept.append(source, copied[0], start).append("{ throw null; }");
                    copied[0] = end;
                }
                return null;
            }
        }.scan(unit, null);
        return kept.append(source, copied[0], source.length()).toString();
    }

    /** What the compiler makes of the text with a name at the offset: all other methods' bodies are left out. */
    private Compiled around(int offset) throws IOException {
        String source = completed(text, offset);
        StringBuilder kept = new StringBuilder(source);
        JavacTask task = task(source, List.of("-proc:none"), nothing -> { });
        CompilationUnitTree unit = task.parse().iterator().next();
        SourcePositions places = Trees.instance(task).getSourcePositions();
        new TreeScanner<Void, Void>() {
            @Override
            public Void visitMethod(MethodTree method, Void nothing) {
                int start = method.getBody() == null ? -1 : (int) places.getStartPosition(unit, method.getBody());
                int end = method.getBody() == null ? -1 : (int) places.getEndPosition(unit, method.getBody());
                if (start < 0 || end < 0 || (start <= offset && offset < end)) {
                    return super.visitMethod(method, nothing);
                }
                for (int at = start + 1; at < end - 1; at++) {
                    kept.setCharAt(at, kept.charAt(at) == '\n' ? '\n' : ' ');
                }
                return null;
            }
        }.scan(unit, null);
        return new Compiled(kept.toString(), "ATTR");
    }

    /** The open file. */
    private static final class Shown extends SimpleJavaFileObject {
        private final String source;

        Shown(URI place, String source) {
            super(place, Kind.SOURCE);
            this.source = source;
        }

        @Override
        public CharSequence getCharContent(boolean ignoreEncodingErrors) {
            return source;
        }

        @Override
        public boolean isNameCompatible(String name, Kind kind) {
            return true; // a public class may be renamed just now
        }
    }

    /** The folders that packages begin in: where the open file lies, and wherever the project has sources. */
    private Collection<Path> sourceRoots() throws IOException {
        if (sourceRoots == null) {
            sourceRoots = new LinkedHashSet<>();
            Files.walkFileTree(root, new Search());
        }
        Set<Path> all = new LinkedHashSet<>();
        rootOf(Path.of(URI.create(uri)), text).ifPresent(all::add);
        all.addAll(sourceRoots);
        return all;
    }

    private static Optional<Path> rootOf(Path file, String source) {
        Matcher found = PACKAGE.matcher(source);
        Path folder = file.getParent();
        if (found.find()) {
            List<String> names = Arrays.asList(found.group(1).split("\\."));
            for (int i = names.size(); i-- > 0; folder = folder.getParent()) {
                if (folder == null || folder.getFileName() == null || !folder.endsWith(names.get(i))) {
                    return Optional.empty();
                }
            }
        }
        return Optional.ofNullable(folder);
    }

    /** Finds source roots by the package that one file of each folder names. */
    private final class Search extends SimpleFileVisitor<Path> {
        private int folders;

        @Override
        public FileVisitResult preVisitDirectory(Path folder, BasicFileAttributes attributes) {
            boolean skip = folder.getFileName() != null && SKIPPED.contains(folder.getFileName().toString());
            if (++folders > MOST_FOLDERS) {
                return FileVisitResult.TERMINATE;
            }
            return skip || sourceRoots.contains(folder) ? FileVisitResult.SKIP_SUBTREE : FileVisitResult.CONTINUE;
        }

        @Override
        public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
            String name = file.getFileName().toString();
            if (!isReadable(file) || !name.endsWith(".java") || name.equals("module-info.java") || name.equals("package-info.java")) {
                return FileVisitResult.CONTINUE;
            }
            String source = new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
            rootOf(file, source).ifPresent(sourceRoots::add);
            return FileVisitResult.SKIP_SIBLINGS;
        }

        @Override
        public FileVisitResult visitFileFailed(Path file, IOException error) {
            return FileVisitResult.CONTINUE;
        }
    }

    /** Compiled classes that lie in the project: where builds put them, and jars. */
    private Collection<Path> libraries() throws IOException {
        List<Path> found = new ArrayList<>();
        for (String place : List.of("target/classes", "build/classes/java/main", "classes")) {
            if (isInside(root.resolve(place))) {
                found.add(root.resolve(place));
            }
        }
        for (String place : List.of("lib", "libs", "target/dependency", "build/libs")) {
            if (Files.isDirectory(root.resolve(place)) && isInside(root.resolve(place))) {
                try (Stream<Path> jars = Files.walk(root.resolve(place), 3)) {
                    jars.filter(path -> path.toString().endsWith(".jar"))
                            .filter(path -> Files.isRegularFile(path) && isInside(path)).forEach(found::add);
                }
            }
        }
        return found;
    }

    private boolean isInside(Path path) {
        return isWithin(root, path);
    }

    /** Whether there is such a file or folder, links followed, in a folder. */
    private static boolean isWithin(Path folder, Path path) {
        try {
            return path.toRealPath().startsWith(folder.toRealPath());
        } catch (IOException error) {
            return false;
        }
    }

    /** Whether a file lies in a jar, which itself was looked at. */
    private static boolean isPacked(Path file) {
        return file.getFileSystem() != FileSystems.getDefault();
    }

    /** Whether a source or a class can be read: no pipe that nobody writes to, no device, nothing outside, nothing endless. */
    private boolean isReadable(Path file) {
        try {
            Path own = rootOf(Path.of(URI.create(uri)), text).orElse(root); // of a file without a project
            boolean inside = isInside(file) || isWithin(own, file);
            return inside && Files.isRegularFile(file) && Files.size(file) <= MOST_BYTES;
        } catch (IOException error) {
            return false;
        }
    }

    // --- completions

    private Object completions(int offset) throws IOException {
        Compiled code = around(offset);
        TreePath place = probe(code);
        Names names = new Names(code, place);
        Tree node = place == null ? null : place.getLeaf();
        if (node instanceof MemberSelectTree) {
            names.addMembers(((MemberSelectTree) node).getExpression());
        } else if (node instanceof MemberReferenceTree) {
            names.addMembers(((MemberReferenceTree) node).getQualifierExpression());
        } else if (node instanceof IdentifierTree) {
            names.addScope();
        }
        return entries("isIncomplete", names.incomplete, "items", new ArrayList<>(names.items.values()));
    }

    /** The text with a name at the offset, and a semicolon behind what closes there, so that a statement can end. */
    private static String completed(String text, int offset) {
        int end = offset;
        while (end < text.length() && ")]".indexOf(text.charAt(end)) >= 0) {
            end++;
        }
        int blank = end;
        while (blank < text.length() && " \t\r".indexOf(text.charAt(blank)) >= 0) {
            blank++;
        }
        boolean ends = blank == text.length() || "\n}".indexOf(text.charAt(blank)) >= 0;
        String closed = text.substring(offset, end) + (ends ? ";" : "");
        return text.substring(0, offset) + PROBE + closed + text.substring(end);
    }

    private static TreePath probe(Compiled code) {
        TreePath[] found = new TreePath[1];
        new TreePathScanner<Void, Void>() {
            @Override
            public Void visitMemberSelect(MemberSelectTree tree, Void nothing) {
                return look(tree.getIdentifier()) ? null : super.visitMemberSelect(tree, nothing);
            }

            @Override
            public Void visitMemberReference(MemberReferenceTree tree, Void nothing) {
                return look(tree.getName()) ? null : super.visitMemberReference(tree, nothing);
            }

            @Override
            public Void visitIdentifier(IdentifierTree tree, Void nothing) {
                look(tree.getName());
                return null;
            }

            @Override
            public Void visitErroneous(ErroneousTree tree, Void nothing) {
                return scan(tree.getErrorTrees(), nothing);
            }

            private boolean look(Name name) {
                if (name.contentEquals(PROBE)) {
                    found[0] = getCurrentPath();
                }
                return name.contentEquals(PROBE);
            }
        }.scan(code.unit, null);
        return found[0];
    }

    /** The names that are legal at a place. */
    private final class Names {
        final Map<String, Object> items = new LinkedHashMap<>();
        boolean incomplete;
        private boolean isSuper;
        private final Compiled code;
        private final TreePath place;
        private final Scope scope;

        Names(Compiled code, TreePath place) {
            this.code = code;
            this.place = place;
            this.scope = place == null ? null : code.trees.getScope(place);
        }

        /** What may stand behind an expression, a type or a package, and a dot. */
        void addMembers(Tree qualifier) {
            TreePath path = new TreePath(place, qualifier);
            Element named = code.trees.getElement(path);
            if (named instanceof PackageElement) {
                addPackage((PackageElement) named);
                return;
            }
            boolean isType = named instanceof TypeElement;
            TypeMirror type = isType ? named.asType() : code.trees.getTypeMirror(path);
            isSuper = qualifier.toString().equals("super") || qualifier.toString().endsWith(".super");
            for (TypeMirror bound : bounds(type)) {
                addMembersOf(bound, isType && place.getLeaf() instanceof MemberSelectTree);
            }
        }

        private void addMembersOf(TypeMirror type, boolean onlyStatic) {
            if (type.getKind() == TypeKind.ARRAY) {
                add("length", FIELD, "int");
                type = code.elements.getTypeElement("java.lang.Object").asType();
            }
            if (type.getKind() != TypeKind.DECLARED || isUncertain(type, new HashSet<>())) {
                incomplete |= !type.getKind().isPrimitive();
            }
            if (type.getKind() != TypeKind.DECLARED) {
                return;
            }
            DeclaredType declared = (DeclaredType) type;
            for (Element member : code.elements.getAllMembers((TypeElement) declared.asElement())) {
                boolean named = member.getKind() != ElementKind.CONSTRUCTOR;
                boolean reached = !onlyStatic || member.getModifiers().contains(Modifier.STATIC) || isType(member);
                if (named && reached && isAccessible(code, scope, member, isSuper ? own(declared) : declared)) {
                    add(member);
                }
            }
        }

        /** The class around the place: what is protected in the one above it is reached by {@code super}. */
        private DeclaredType own(DeclaredType above) {
            TypeElement around = scope.getEnclosingClass();
            return around == null ? above : (DeclaredType) around.asType();
        }

        private void addPackage(PackageElement within) {
            within.getEnclosedElements().stream()
                    .filter(type -> code.trees.isAccessible(scope, (TypeElement) type)).forEach(this::add);
            String prefix = within.getQualifiedName() + ".";
            for (ModuleElement module : code.elements.getAllModuleElements()) {
                for (Element one : module.getEnclosedElements()) {
                    String name = ((PackageElement) one).getQualifiedName().toString();
                    if (name.startsWith(prefix)) {
                        add(name.substring(prefix.length()).split("\\.")[0], MODULE, "package");
                    }
                }
            }
            incomplete = true; // packages of the class path are not listed anywhere
        }

        /** What may stand alone: variables, members of the classes around, types by their simple names. */
        void addScope() {
            for (Scope around = scope; around != null; around = around.getEnclosingScope()) {
                around.getLocalElements().forEach(this::add);
                TypeElement type = around.getEnclosingClass();
                if (type != null) {
                    addMembersOf(type.asType(), false);
                }
            }
            if (!code.unit.getTypeDecls().isEmpty()) {
                Tree first = code.unit.getTypeDecls().get(0);
                Element type = code.trees.getElement(new TreePath(new TreePath(code.unit), first));
                code.elements.getPackageOf(type).getEnclosedElements().forEach(this::add);
            }
            code.elements.getPackageElement("java.lang").getEnclosedElements().stream()
                    .filter(type -> type.getModifiers().contains(Modifier.PUBLIC)).forEach(this::add);
            incomplete = true; // types that are still to be imported
        }

        /** The types whose members an expression has. */
        private List<? extends TypeMirror> bounds(TypeMirror type) {
            if (type instanceof TypeVariable) {
                return bounds(((TypeVariable) type).getUpperBound());
            }
            if (type instanceof WildcardType) {
                TypeMirror bound = ((WildcardType) type).getExtendsBound();
                TypeMirror object = code.elements.getTypeElement("java.lang.Object").asType();
                return bound == null ? List.of(object) : bounds(bound);
            }
            if (type instanceof IntersectionType) {
                return ((IntersectionType) type).getBounds();
            }
            if (type instanceof UnionType) {
                return ((UnionType) type).getAlternatives().subList(0, 1);
            }
            if (type == null || type.getKind() == TypeKind.ERROR) {
                incomplete = true;
                return List.of();
            }
            return List.of(type);
        }

        /** Whether a type, or one above it, is not known in full: unresolved, or to be completed by a processor. */
        private boolean isUncertain(TypeMirror type, Set<String> seen) {
            if (type.getKind() == TypeKind.ERROR) {
                return true;
            }
            if (!(type instanceof DeclaredType) || !seen.add(code.types.erasure(type).toString())) {
                return false;
            }
            for (AnnotationMirror mark : ((DeclaredType) type).asElement().getAnnotationMirrors()) {
                String name = mark.getAnnotationType().toString();
                if (mark.getAnnotationType().getKind() == TypeKind.ERROR || name.startsWith("lombok.")) {
                    return true;
                }
            }
            return code.types.directSupertypes(type).stream().anyMatch(above -> isUncertain(above, seen));
        }

        private void add(Element element) {
            add(element.getSimpleName().toString(), kindOf(element), element.asType().toString());
        }

        private void add(String name, int kind, String detail) {
            if (!name.isEmpty() && !name.contains(PROBE)) {
                items.putIfAbsent(name, entries("label", name, "kind", kind, "detail", detail));
            }
        }
    }

    private static boolean isType(Element element) {
        return element.getKind().isClass() || element.getKind().isInterface();
    }

    private static int kindOf(Element element) {
        switch (element.getKind()) {
            case METHOD:
                return METHOD;
            case FIELD:
                return FIELD;
            case ENUM_CONSTANT:
                return ENUM_MEMBER;
            case ENUM:
                return ENUM;
            case INTERFACE:
            case ANNOTATION_TYPE:
                return INTERFACE;
            case PACKAGE:
                return MODULE;
            default:
                return isType(element) ? CLASS : VARIABLE;
        }
    }

    // --- signatures

    private Object signatures(int offset) throws IOException {
        Compiled code = around(offset);
        TreePath path = probe(code);
        while (path != null && path.getParentPath() != null) {
            Tree inner = path.getLeaf(), call = path.getParentPath().getLeaf();
            path = path.getParentPath();
            List<? extends ExpressionTree> arguments =
                    call instanceof MethodInvocationTree ? ((MethodInvocationTree) call).getArguments()
                    : call instanceof NewClassTree ? ((NewClassTree) call).getArguments() : List.of();
            if (arguments.contains(inner)) {
                List<Object> found = callables(code, path).map(Analyser::signature).collect(Collectors.toList());
                return entries("signatures", found, "activeSignature", 0, "activeParameter", arguments.indexOf(inner));
            }
        }
        return null;
    }

    /** The overloads that a call may mean. */
    private Stream<ExecutableElement> callables(Compiled code, TreePath call) {
        Scope scope = code.trees.getScope(call);
        if (call.getLeaf() instanceof NewClassTree) {
            TreePath named = new TreePath(call, ((NewClassTree) call.getLeaf()).getIdentifier());
            if (named.getLeaf() instanceof ParameterizedTypeTree) {
                // A diamond has a type only once its arguments are there; the constructors are those of the class.
                named = new TreePath(named, ((ParameterizedTypeTree) named.getLeaf()).getType());
            }
            TypeMirror type = code.trees.getTypeMirror(named);
            return type instanceof DeclaredType ? accessible(code, scope, (DeclaredType) type, "<init>") : Stream.of();
        }
        ExpressionTree select = ((MethodInvocationTree) call.getLeaf()).getMethodSelect();
        if (select instanceof MemberSelectTree) {
            String name = ((MemberSelectTree) select).getIdentifier().toString();
            TreePath receiver = new TreePath(new TreePath(call, select), ((MemberSelectTree) select).getExpression());
            List<? extends TypeMirror> bounds = new Names(code, call).bounds(code.trees.getTypeMirror(receiver));
            return bounds.stream().filter(type -> type instanceof DeclaredType)
                    .flatMap(type -> accessible(code, scope, (DeclaredType) type, name));
        }
        String name = select.toString();
        Stream<ExecutableElement> found = Stream.of();
        for (Scope around = scope; around != null; around = around.getEnclosingScope()) {
            TypeElement type = around.getEnclosingClass();
            if (type != null) {
                found = Stream.concat(found, accessible(code, scope, (DeclaredType) type.asType(), name));
            }
        }
        return found.distinct();
    }

    private static Stream<ExecutableElement> accessible(Compiled code, Scope scope, DeclaredType type, String name) {
        return code.elements.getAllMembers((TypeElement) type.asElement()).stream()
                .filter(one -> one instanceof ExecutableElement && one.getSimpleName().contentEquals(name))
                .filter(one -> isAccessible(code, scope, one, type))
                .map(one -> (ExecutableElement) one);
    }

    /** The compiler denies a method of Object that an interface declares again. */
    private static boolean isAccessible(Compiled code, Scope scope, Element member, DeclaredType type) {
        return member.getModifiers().contains(Modifier.PUBLIC) || code.trees.isAccessible(scope, member, type);
    }

    private static Object signature(ExecutableElement method) {
        List<String> parameters = new ArrayList<>();
        for (VariableElement parameter : method.getParameters()) {
            parameters.add(parameter.asType() + " " + parameter.getSimpleName());
        }
        if (method.isVarArgs()) {
            int last = parameters.size() - 1;
            parameters.set(last, parameters.get(last).replaceFirst("\\[\\] (\\S+)$", "... $1"));
        }
        Element owner = method.getKind() == ElementKind.CONSTRUCTOR ? method.getEnclosingElement() : method;
        String label = owner.getSimpleName() + "(" + String.join(", ", parameters) + ")";
        List<Object> labels = parameters.stream().map(one -> entries("label", one)).collect(Collectors.toList());
        return entries("label", label, "parameters", labels);
    }

    // --- diagnostics

    private List<Object> diagnostics() throws IOException {
        List<Object> found = new ArrayList<>();
        for (Diagnostic<? extends JavaFileObject> one : new Compiled(text, "FLOW").found.getDiagnostics()) {
            if (one.getSource() == null || !one.getSource().toUri().equals(URI.create(uri)) || one.getPosition() < 0) {
                continue;
            }
            int severity = one.getKind() == Diagnostic.Kind.ERROR ? 1 : 2;
            Object range = entries("start", position(one.getStartPosition()), "end", position(one.getEndPosition()));
            found.add(entries("range", range, "severity", severity, "code", one.getCode(), "source", "javac",
                    "message", one.getMessage(Locale.ROOT)));
        }
        return found;
    }

    // --- the text

    private void apply(Map<String, Object> change) {
        Map<String, Object> range = object(change.get("range"));
        String put = (String) change.get("text");
        if (range.isEmpty()) {
            text = put;
            return;
        }
        int start = offset(object(range.get("start"))), end = offset(object(range.get("end")));
        text = text.substring(0, start) + put + text.substring(end);
    }

    private int offset(Map<String, Object> position) {
        int at = 0;
        for (int line = ((Number) position.get("line")).intValue(); line > 0 && at < text.length(); at++) {
            char one = text.charAt(at);
            if (one == '\n' || (one == '\r' && !text.startsWith("\r\n", at))) {
                line--;
            }
        }
        return Math.min(text.length(), at + ((Number) position.get("character")).intValue());
    }

    private Object position(long offset) {
        int line = 0, start = 0, end = (int) Math.min(Math.max(offset, 0), text.length());
        for (int at = 0; at < end; at++) {
            char one = text.charAt(at);
            if (one == '\n' || (one == '\r' && !text.startsWith("\r\n", at))) {
                line++;
                start = at + 1;
            }
        }
        return entries("line", line, "character", end - start);
    }

    // --- the protocol

    /** The next message's body; null at the end. */
    private String read() throws IOException {
        int length = -1;
        for (String line = line(); line != null; line = line()) {
            if (line.isEmpty() && length >= 0) {
                byte[] body = in.readNBytes(length);
                return body.length < length ? null : new String(body, StandardCharsets.UTF_8);
            }
            if (line.toLowerCase(Locale.ROOT).startsWith("content-length:")) {
                length = Integer.parseInt(line.substring(15).trim());
            }
        }
        return null;
    }

    private String line() throws IOException {
        StringBuilder found = new StringBuilder();
        for (int one = in.read(); one != '\n'; one = in.read()) {
            if (one < 0) {
                return null;
            }
            found.append((char) one);
        }
        return found.toString().trim();
    }

    private void send(Object message) throws IOException {
        StringBuilder body = new StringBuilder();
        Json.write(message, body);
        byte[] data = body.toString().getBytes(StandardCharsets.UTF_8);
        out.write(("Content-Length: " + data.length + "\r\n\r\n").getBytes(StandardCharsets.US_ASCII));
        out.write(data);
        out.flush();
    }

    private static Map<String, Object> entries(Object... pairs) {
        Map<String, Object> map = new LinkedHashMap<>();
        for (int i = 0; i < pairs.length; i += 2) {
            map.put((String) pairs[i], pairs[i + 1]);
        }
        return map;
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> object(Object value) {
        return value instanceof Map ? (Map<String, Object>) value : Map.of();
    }

    /** JSON, as far as LSP needs it. */
    private static final class Json {
        private final String source;
        private int at;

        Json(String source) {
            this.source = source;
        }

        Object value() {
            char first = peek();
            switch (first) {
                case '{':
                    Map<String, Object> map = new LinkedHashMap<>();
                    for (at++; peek() != '}'; skip(',')) {
                        String key = string();
                        skip(':');
                        map.put(key, value());
                    }
                    at++;
                    return map;
                case '[':
                    List<Object> list = new ArrayList<>();
                    for (at++; peek() != ']'; skip(',')) {
                        list.add(value());
                    }
                    at++;
                    return list;
                case '"':
                    return string();
                default:
                    return word();
            }
        }

        private Object word() {
            int start = at;
            while (at < source.length() && ",]} \t\r\n".indexOf(source.charAt(at)) < 0) {
                at++;
            }
            String word = source.substring(start, at);
            switch (word) {
                case "true":
                    return true;
                case "false":
                    return false;
                case "null":
                    return null;
                default:
                    return word.matches("-?\\d+") ? (Object) Long.valueOf(word) : Double.valueOf(word);
            }
        }

        private String string() {
            peek();
            StringBuilder found = new StringBuilder();
            for (at++; source.charAt(at) != '"'; at++) {
                char one = source.charAt(at);
                if (one != '\\') {
                    found.append(one);
                    continue;
                }
                one = source.charAt(++at);
                int escape = "bfnrt".indexOf(one);
                if (one == 'u') {
                    found.append((char) Integer.parseInt(source.substring(at + 1, at + 5), 16));
                    at += 4;
                } else {
                    found.append(escape < 0 ? one : "\b\f\n\r\t".charAt(escape));
                }
            }
            at++;
            return found.toString();
        }

        private char peek() {
            while (Character.isWhitespace(source.charAt(at))) {
                at++;
            }
            return source.charAt(at);
        }

        private void skip(char one) {
            if (peek() == one) {
                at++;
            }
        }

        static void write(Object value, StringBuilder out) {
            if (value instanceof Map) {
                String mark = "{";
                for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                    out.append(mark);
                    write(entry.getKey(), out);
                    out.append(':');
                    write(entry.getValue(), out);
                    mark = ",";
                }
                out.append(mark.equals("{") ? "{}" : "}");
            } else if (value instanceof List) {
                String mark = "[";
                for (Object one : (List<?>) value) {
                    out.append(mark);
                    write(one, out);
                    mark = ",";
                }
                out.append(mark.equals("[") ? "[]" : "]");
            } else if (value instanceof String) {
                quote((String) value, out);
            } else {
                out.append(value);
            }
        }

        private static void quote(String value, StringBuilder out) {
            out.append('"');
            for (char one : value.toCharArray()) {
                if (one == '"' || one == '\\') {
                    out.append('\\').append(one);
                } else if (one < ' ') {
                    out.append(String.format("\\u%04x", (int) one));
                } else {
                    out.append(one);
                }
            }
            out.append('"');
        }
    }
}
