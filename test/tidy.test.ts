import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { must } from '../src/lib/assert.ts';

/** The project's own rules, which no linter knows. A failure lists every place. */

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const columnsMax = 100;
const functionLinesMax = 60;
const fileLinesMax = 400;

/**
 * What each layer of src may import, as in docs/ARCHITECTURE.md: arrows only point down. `types`
 * may be imported as types only. Everybody may import lib; a layer may import itself.
 */
interface Layer {
  readonly values: readonly string[];
  readonly types?: readonly string[];
  /** Packages and platform modules; a name also stands for what is below it. */
  readonly packages?: readonly string[];
}

const below = ['watch', 'transport', 'storage', 'metrics', 'state', 'raft', 'api', 'config'];
const node = 'node:';
const layers: Readonly<Record<string, Layer>> = {
  worker: { values: ['gateway', 'member'], packages: ['cloudflare:workers'] },
  local: {
    values: ['config', 'api', 'grpc', 'backend', 'bbolt', 'metrics'],
    packages: [node, 'miniflare', 'esbuild', 'cac', 'capnp-es'],
  },
  grpc: {
    values: ['api', 'config', 'metrics', 'backend'],
    packages: [node, '@bufbuild/protobuf', 'ws', 'cac'],
  },
  client: { values: ['api'], packages: ['@bufbuild/protobuf'] },
  backend: { values: ['bbolt', 'state', 'api', 'config'], packages: ['@bufbuild/protobuf'] },
  bbolt: { values: [] },
  gateway: { values: ['api', 'config', 'metrics'], types: ['member'], packages: ['hono'] },
  member: { values: below, packages: ['@bufbuild/protobuf', 'cloudflare:workers', 'jose'] },
  watch: { values: ['state', 'api', 'config'], packages: ['@bufbuild/protobuf'] },
  transport: { values: ['config'], types: ['raft'], packages: ['cbor-x'] },
  storage: { values: ['config'], types: ['raft', 'state'] },
  metrics: { values: ['api', 'config'] },
  state: { values: ['api', 'config'], packages: ['@bufbuild/protobuf'] },
  raft: { values: ['config'] },
  api: { values: ['config'], packages: ['@bufbuild/protobuf'] },
  config: { values: [] },
  lib: { values: [] },
};

/** The layers that may know what time it is. Everything below the member is driven from outside. */
const timedLayers = ['member', 'local', 'grpc', 'client', 'gateway'];
const timedFile = /^src\/lib\/(clock|timer)[\w.-]*$/;
const clocks = ['Date.now', 'Math.random', 'performance.now', 'crypto.getRandomValues'];
const timers = ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask'];

/** Directories and files of the working tree that are not the project's. */
const foreign = new Set(['node_modules', '.git', '.wrangler', '.build', 'dist']);
/** Data directories: of the cluster, of members that joined it, of whatever was tried. */
const dataDirectory = /^\.edgetcd/;
const generated = /^src\/api\/gen\//;
const self = 'test/tidy.test.ts';

function walk(directory: string): string[] {
  return readdirSync(join(root, directory), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(directory, entry.name);
    if (foreign.has(entry.name) || entry.name.endsWith('.log')) return [];
    if (!entry.isDirectory()) return [path];
    return dataDirectory.test(entry.name) ? [] : walk(path);
  });
}

const files = walk('.');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const isCode = (path: string): boolean => /\.(ts|mjs)$/.test(path) && !generated.test(path);
/** Tests, and what several tests share: it lives beside the code too. */
const isTest = (path: string): boolean =>
  /\.test\.ts$|\.test-util\.ts$|\/testing\/|\/fake_\w+\.ts$/.test(path);
const code = files.filter((path) => isCode(path) && /^(src|test|bench|examples)\//.test(path));
/** What is built into the product: src without its tests. */
const product = code.filter((path) => path.startsWith('src/') && !isTest(path));

const parsed = new Map<string, ts.SourceFile>();
function parse(path: string): ts.SourceFile {
  const known = parsed.get(path);
  if (known !== undefined) return known;
  const source = ts.createSourceFile(path, read(path), ts.ScriptTarget.ES2022, true);
  parsed.set(path, source);
  return source;
}

function nodesOf(source: ts.SourceFile): ts.Node[] {
  const all: ts.Node[] = [];
  const visit = (at: ts.Node): void => {
    all.push(at);
    ts.forEachChild(at, visit);
  };
  visit(source);
  return all;
}

function lineOf(source: ts.SourceFile, at: ts.Node): number {
  return source.getLineAndCharacterOfPosition(at.getStart(source)).line + 1;
}

/** Nodes that break a rule, as `path:line: what`. */
function offences(
  paths: readonly string[],
  what: (at: ts.Node, source: ts.SourceFile) => string | null,
): string[] {
  return paths.flatMap((path) => {
    const source = parse(path);
    return nodesOf(source).flatMap((at) => {
      const text = what(at, source);
      return text === null ? [] : [`${path}:${lineOf(source, at)}: ${text}`];
    });
  });
}

/** Lines that break a rule, as `path:line: what`. */
function lineOffences(paths: readonly string[], what: (line: string) => string | null): string[] {
  return paths.flatMap((path) =>
    read(path)
      .split('\n')
      .flatMap((line, i) => {
        const text = what(line);
        return text === null ? [] : [`${path}:${i + 1}: ${text}`];
      }),
  );
}

describe('sizes', () => {
  it(`keeps lines within ${columnsMax} columns`, () => {
    expect(code.flatMap(longLines)).toEqual([]);
  });

  it(`keeps functions within ${functionLinesMax} lines`, () => {
    const found = offences(product, (at, source) => {
      if (!ts.isFunctionLike(at) || !('body' in at) || at.body === undefined) return null;
      const end = source.getLineAndCharacterOfPosition(at.getEnd()).line + 1;
      const lines = end - lineOf(source, at) + 1;
      return lines > functionLinesMax ? `a function of ${lines} lines` : null;
    });
    expect(found).toEqual([]);
  });

  it(`keeps files within ${fileLinesMax} lines`, () => {
    const found = code
      .filter((path) => path.startsWith('src/'))
      .map((path) => [path, read(path).trimEnd().split('\n').length] as const)
      .filter(([, lines]) => lines > fileLinesMax);
    expect(found).toEqual([]);
  });
});

/**
 * Imports and literals cannot be broken, and the formatter leaves them: what counts is the rest of
 * the line. Comments can be broken.
 */
function longLines(path: string): string[] {
  const lines = read(path).split('\n');
  if (lines.every((line) => line.length <= columnsMax)) return [];
  const source = parse(path);
  const unbreakable = new Map<number, number>();
  for (const at of nodesOf(source)) {
    const isImport = ts.isImportDeclaration(at) || ts.isExportDeclaration(at);
    const isTemplate = ts.isTemplateExpression(at);
    const isLiteral = ts.isStringLiteralLike(at) || ts.isRegularExpressionLiteral(at);
    if (!isImport && !isTemplate && !isLiteral) continue;
    const first = lineOf(source, at);
    const last = source.getLineAndCharacterOfPosition(at.getEnd()).line + 1;
    const width = first === last && !isImport ? at.getWidth(source) : Number.POSITIVE_INFINITY;
    for (let line = first; line <= last; line++) {
      unbreakable.set(line, Math.max(width, unbreakable.get(line) ?? 0));
    }
  }
  return lines.flatMap((line, i) => {
    const rest = line.length - (unbreakable.get(i + 1) ?? 0);
    return rest > columnsMax ? [`${path}:${i + 1}: ${line.length} columns`] : [];
  });
}

describe('imports', () => {
  it('knows every layer', () => {
    const found = new Set(product.map(layerOf));
    expect([...found].filter((layer) => layers[layer] === undefined)).toEqual([]);
  });

  it('follow the arrows between the layers', () => {
    const typescript = product.filter((path) => path.endsWith('.ts'));
    expect(offences(typescript, forbiddenImport)).toEqual([]);
  });

  it('never reach from the product into tests', () => {
    const found = offences(product, (at) => {
      const target = importTarget(at) ?? '';
      return isTest(target) || /\.\.\/(test|bench)\//.test(target) ? target : null;
    });
    expect(found).toEqual([]);
  });
});

function layerOf(path: string): string {
  const [, name = ''] = path.split('/');
  return name.replace(/\.ts$/, '');
}

/** What an import, a re-export or an `import()` names. */
function importTarget(at: ts.Node): string | null {
  const isStatic = ts.isImportDeclaration(at) || ts.isExportDeclaration(at);
  const specifier = isStatic
    ? at.moduleSpecifier
    : ts.isCallExpression(at) && at.expression.kind === ts.SyntaxKind.ImportKeyword
      ? at.arguments[0]
      : undefined;
  return specifier !== undefined && ts.isStringLiteral(specifier) ? specifier.text : null;
}

function forbiddenImport(at: ts.Node, source: ts.SourceFile): string | null {
  const target = importTarget(at);
  if (target === null) return null;
  const from = layerOf(source.fileName);
  const { values, types = [], packages = [] } = must(layers[from], `${from} is a layer`);
  if (!target.startsWith('.')) {
    const allowed = packages.some(
      (name) => target === name || target.startsWith(packageRoot(name)),
    );
    return allowed ? null : `${from} imports ${target}`;
  }
  const to = layerOf(posix.join(dirname(source.fileName), target));
  if (to === from || to === 'lib' || values.includes(to)) return null;
  if (types.includes(to) && isTypeOnly(at)) return null;
  return `${from} imports ${types.includes(to) ? 'a value of ' : ''}${to} (${target})`;
}

function packageRoot(name: string): string {
  return name.endsWith(':') ? name : `${name}/`;
}

function isTypeOnly(at: ts.Node): boolean {
  if (ts.isExportDeclaration(at)) return at.isTypeOnly;
  return ts.isImportDeclaration(at) && at.importClause?.isTypeOnly === true;
}

describe('determinism', () => {
  const untimed = product.filter(
    (path) => !timedLayers.includes(layerOf(path)) && !timedFile.test(path),
  );

  it('has no clock, timer or randomness below the member', () => {
    const found = offences(untimed, (at, source) => {
      if (ts.isPropertyAccessExpression(at)) {
        const name = at.getText(source).replace(/^globalThis\./, '');
        return clocks.includes(name) ? name : null;
      }
      if (ts.isNewExpression(at) && at.expression.getText(source) === 'Date') {
        return (at.arguments?.length ?? 0) === 0 ? 'new Date()' : null;
      }
      if (!ts.isCallExpression(at)) return null;
      const name = at.expression.getText(source);
      return timers.includes(name) || name === 'Date' ? name : null;
    });
    expect(found).toEqual([]);
  });

  it('keeps nothing mutable at module level', () => {
    expect(product.flatMap(moduleState)).toEqual([]);
  });
});

/**
 * Several objects share an isolate, and with it every module: `let`, static fields, filled maps.
 */
function moduleState(path: string): string[] {
  const source = parse(path);
  const constants = new Set<string>();
  const found: string[] = [];
  for (const statement of source.statements) {
    if (!ts.isVariableStatement(statement)) continue;
    const isConst = (statement.declarationList.flags & ts.NodeFlags.Const) !== 0;
    for (const { name } of statement.declarationList.declarations) {
      const text = name.getText(source);
      if (isConst) constants.add(text);
      else found.push(`${path}:${lineOf(source, statement)}: ${text} may change`);
    }
  }
  const mutations = offences([path], (at) => mutation(at, source, constants));
  return [...found, ...mutations];
}

/** A static field that may change, or a change inside a function to a constant of the module. */
function mutation(
  at: ts.Node,
  source: ts.SourceFile,
  constants: ReadonlySet<string>,
): string | null {
  if (ts.isPropertyDeclaration(at)) {
    const flags = ts.getCombinedModifierFlags(at);
    const isStatic = (flags & ts.ModifierFlags.Static) !== 0;
    const isReadonly = (flags & ts.ModifierFlags.Readonly) !== 0;
    return isStatic && !isReadonly ? `static ${at.name.getText(source)} may change` : null;
  }
  const name = mutatedName(at, source);
  if (name === null || !constants.has(name) || !isInFunction(at) || isShadowed(at, name))
    return null;
  return `${name} is changed`;
}

const mutators = ['set', 'add', 'delete', 'clear', 'push', 'pop', 'shift', 'unshift', 'splice'];

function mutatedName(at: ts.Node, source: ts.SourceFile): string | null {
  if (ts.isCallExpression(at) && ts.isPropertyAccessExpression(at.expression)) {
    const { expression, name } = at.expression;
    return mutators.includes(name.text) ? expression.getText(source) : null;
  }
  if (!ts.isBinaryExpression(at)) return null;
  const { FirstAssignment, LastAssignment } = ts.SyntaxKind;
  const operator = at.operatorToken.kind;
  if (operator < FirstAssignment || operator > LastAssignment) return null;
  const isPart = ts.isElementAccessExpression(at.left) || ts.isPropertyAccessExpression(at.left);
  return isPart ? at.left.expression.getText(source) : null;
}

/** Filling a table while the module loads is how constants are made. */
function isInFunction(at: ts.Node): boolean {
  return ts.findAncestor(at, ts.isFunctionLike) !== undefined;
}

/** A parameter or local variable of the same name is another thing. */
function isShadowed(at: ts.Node, name: string): boolean {
  for (let scope: ts.Node | undefined = at.parent; scope; scope = scope.parent) {
    if (ts.isSourceFile(scope)) return false;
    if ('locals' in scope && scope.locals instanceof Map && scope.locals.has(name)) return true;
    if (ts.isFunctionLike(scope) && scope.parameters.some((p) => p.name.getText() === name)) {
      return true;
    }
    if (ts.isBlock(scope) && scope.statements.some((s) => declares(s, name))) return true;
  }
  return false;
}

function declares(statement: ts.Statement, name: string): boolean {
  if (!ts.isVariableStatement(statement)) return false;
  return statement.declarationList.declarations.some((each) => each.name.getText() === name);
}

describe('text', () => {
  const text = files.filter((path) => !/\.(png|jpg|ico|woff2?|wasm)$/.test(path) && path !== self);

  it('leaves nothing to do', () => {
    const marker = /\b(TODO|FIXME|XXX|HACK)\b/;
    const ours = text.filter((path) => path !== 'package-lock.json' && !generated.test(path));
    expect(lineOffences(ours, (line) => marker.exec(line)?.[0] ?? null)).toEqual([]);
  });

  it('names no path of one machine', () => {
    const path = /(?<![\w.~}-])\/(work|tmp|root|home\/\w+|Users\/\w+)\//;
    expect(lineOffences(text, (line) => path.exec(line)?.[0] ?? null)).toEqual([]);
  });

  it("names no package registry, so that everybody's own is used", () => {
    const registry = /"resolved":|registry\.(npmjs|yarnpkg)|npm\.pkg\.|verdaccio|artifactory/;
    expect(lineOffences(text, (line) => registry.exec(line)?.[0] ?? null)).toEqual([]);
  });

  it('begins every scenario with what it shows', () => {
    const scenarios = files.filter((path) => /^test\/scenarios\/.*\.txt$/.test(path));
    expect(scenarios.length).toBeGreaterThan(0);
    expect(scenarios.filter((path) => !/^# \S/.test(read(path)))).toEqual([]);
  });

  it('gives every markdown file one title', () => {
    const found = files
      .filter((path) => path.endsWith('.md'))
      .map((path) => [path, titles(read(path))] as const)
      .filter(([, count]) => count !== 1);
    expect(found).toEqual([]);
  });
});

/** First-level headings outside code blocks. */
function titles(markdown: string): number {
  const prose = markdown.replace(/^(```|~~~)[\s\S]*?^\1/gm, '');
  return prose.split('\n').filter((line) => /^# \S/.test(line)).length;
}

describe('dependencies', () => {
  const manifest = JSON.parse(read('package.json')) as Record<string, Record<string, string>>;
  const all = { ...manifest['dependencies'], ...manifest['devDependencies'] };

  it('are pinned exactly', () => {
    expect(Object.entries(all).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual(
      [],
    );
  });

  it('have their reason in docs/ARCHITECTURE.md', (context) => {
    const path = 'docs/ARCHITECTURE.md';
    context.skip(!existsSync(join(root, path)), `${path} is not written yet`);
    const document = read(path);
    expect(Object.keys(all).filter((name) => !document.includes(name))).toEqual([]);
  });
});
