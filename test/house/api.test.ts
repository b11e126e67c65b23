/**
 * docs/api.md holds what the package exports: every name, and the declarations of all that these names mention, without
 * comments. A change of the surface is a change of that file, and shows in review. Write it anew with:
 * UPDATE_DOCS=1 npx vitest run --project parts test/house/api.test.ts
 *
 * Read from the sources alone, which takes a tenth of what API Extractor takes and needs no build: every export of the
 * library states its types.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..", "..");
const DOCUMENT = join(ROOT, "docs", "api.md");
const DOOR = join(ROOT, "src", "index.ts");

interface Source {
  readonly file: ts.SourceFile;
  readonly own: ReadonlyMap<string, ts.Statement>;
  /** Where a name comes from: file, and its name there. */
  readonly imported: ReadonlyMap<string, readonly [string, string]>;
}

const sources = new Map<string, Source>();

function sourceOf(path: string): Source {
  const known = sources.get(path);
  if (known !== undefined) return known;
  const file = ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.ES2022, true);
  const own = new Map<string, ts.Statement>();
  const imported = new Map<string, readonly [string, string]>();
  for (const statement of file.statements) {
    if (ts.isVariableStatement(statement)) {
      for (const { name } of statement.declarationList.declarations) own.set(name.getText(), statement);
    } else if (ts.isImportDeclaration(statement)) {
      const bindings = statement.importClause?.namedBindings;
      const target = (statement.moduleSpecifier as ts.StringLiteral).text;
      if (bindings === undefined || !ts.isNamedImports(bindings) || !target.startsWith(".")) continue;
      for (const { name, propertyName } of bindings.elements)
        imported.set(name.text, [resolve(path, target), (propertyName ?? name).text]);
    } else if ("name" in statement) own.set((statement.name as ts.Identifier).text, statement);
  }
  const source = { file, own, imported };
  sources.set(path, source);
  return source;
}

const resolve = (from: string, target: string): string => join(dirname(from), target.replace(/\.js$/, ".ts"));

/** The statement as a declaration: no bodies, no private members, no values that have a type. */
function declarationOf(statement: ts.Statement): ts.Node {
  const { factory } = ts;
  if (ts.isFunctionDeclaration(statement)) {
    const { modifiers, name, typeParameters, parameters, type } = statement;
    if (type === undefined) throw new Error(`${name?.text ?? "?"}: an exported function states its type`);
    const plain = parameters.map((parameter) =>
      factory.createParameterDeclaration(
        undefined,
        parameter.dotDotDotToken,
        parameter.name,
        parameter.questionToken ??
          (parameter.initializer === undefined ? undefined : factory.createToken(ts.SyntaxKind.QuestionToken)),
        parameter.type,
      ),
    );
    const kept = modifiers?.filter(({ kind }) => kind !== ts.SyntaxKind.AsyncKeyword);
    return factory.createFunctionDeclaration(kept, undefined, name, typeParameters, plain, type, undefined);
  }
  if (ts.isClassDeclaration(statement)) {
    const members = statement.members.map((member) =>
      ts.isConstructorDeclaration(member)
        ? factory.createConstructorDeclaration(undefined, member.parameters, undefined)
        : member,
    );
    const { modifiers, name, typeParameters, heritageClauses } = statement;
    return factory.createClassDeclaration(modifiers, name, typeParameters, heritageClauses, members);
  }
  if (!ts.isVariableStatement(statement)) return statement;
  const [declaration] = statement.declarationList.declarations;
  const { name, type, initializer } = declaration!;
  const stated = type ?? (initializer !== undefined && ts.isAsExpression(initializer) ? initializer.type : undefined);
  if (stated === undefined || stated.getText() === "const") return statement;
  return factory.createVariableStatement(
    statement.modifiers,
    factory.createVariableDeclarationList(
      [factory.createVariableDeclaration(name, undefined, stated)],
      ts.NodeFlags.Const,
    ),
  );
}

/** Names in places of types. */
function namesIn(node: ts.Node): string[] {
  const names: string[] = [];
  const first = (name: ts.EntityName | ts.Expression): void => {
    if (ts.isIdentifier(name)) names.push(name.text);
    else if (ts.isQualifiedName(name)) first(name.left);
  };
  const visit = (inner: ts.Node): void => {
    if (ts.isTypeReferenceNode(inner)) first(inner.typeName);
    else if (ts.isExpressionWithTypeArguments(inner)) first(inner.expression);
    else if (ts.isTypeQueryNode(inner)) first(inner.exprName);
    ts.forEachChild(inner, visit);
  };
  visit(node);
  return names;
}

function report(): { readonly text: string; readonly exported: readonly string[] } {
  const printer = ts.createPrinter({ removeComments: true });
  const exported: string[] = [];
  const printed = new Map<string, { readonly name: string; readonly text: string; isExported: boolean }>();
  const add = (path: string, name: string, isExported: boolean): void => {
    const { own, imported, file } = sourceOf(path);
    const statement = own.get(name);
    if (statement === undefined) {
      const origin = imported.get(name);
      if (origin !== undefined) add(...origin, isExported);
      return;
    }
    const key = `${relative(ROOT, path)} ${name}`;
    const known = printed.get(key);
    if (known !== undefined) {
      known.isExported ||= isExported;
      return;
    }
    const node = declarationOf(statement);
    const text = printer.printNode(ts.EmitHint.Unspecified, node, file);
    printed.set(key, { name, text, isExported });
    for (const inner of namesIn(node)) add(path, inner, false);
  };
  for (const statement of sourceOf(DOOR).file.statements) {
    if (!ts.isExportDeclaration(statement) || !statement.exportClause || !ts.isNamedExports(statement.exportClause))
      throw new Error(`src/index.ts: expected named exports only, received ${statement.getText()}`);
    const path = resolve(DOOR, (statement.moduleSpecifier as ts.StringLiteral).text);
    for (const { name, propertyName } of statement.exportClause.elements) {
      exported.push(name.text);
      add(path, (propertyName ?? name).text, true);
    }
  }
  const section = (isExported: boolean): string =>
    [...printed.values()]
      .filter((one) => one.isExported === isExported)
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ text }) => text.replace(/^export /, ""))
      .join("\n\n");
  const block = (text: string): string => `<!-- prettier-ignore -->\n\`\`\`ts\n${text}\n\`\`\`\n`;
  const text =
    "# Surface of the library\n\nWritten by `test/house/api.test.ts` from `src/index.ts`. [library.md](library.md) explains it.\n\n" +
    `## Exported\n\n${block(section(true))}\n## What these mention\n\n${block(section(false))}`;
  return { text, exported };
}

test("docs/api.md is what the package exports: a change of the surface is seen", () => {
  const { text } = report();
  if (process.env["UPDATE_DOCS"] === "1") writeFileSync(DOCUMENT, text);
  expect(readFileSync(DOCUMENT, "utf8")).toBe(text);
});

test("the report has all that the package exports, and only what is found", async () => {
  const { text, exported } = report();
  const values = Object.keys(await import("../../src/index.js"));
  expect(values.sort()).toEqual([
    "EXIT",
    "PolyrnnError",
    "annotate",
    "evaluate",
    "openModel",
    "predict",
    "readDataset",
    "simulateClicks",
    "writers",
  ]);
  for (const name of values) expect(exported).toContain(name);
  for (const name of exported) expect(text).toMatch(new RegExp(`\\b(interface|type|class|function|const) ${name}\\b`));
});
