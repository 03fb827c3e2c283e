#!/usr/bin/env node
// Writes docs/CLIENT.md from what src/client/index.ts exports. Everything that a user can name has
// to say what it is. With --check nothing is written: a difference is an error.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('../../', import.meta.url));
const target = join(root, 'docs', 'CLIENT.md');
const entry = join(root, 'src', 'client', 'index.ts');

const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root);
const program = ts.createProgram([entry], options);
const checker = program.getTypeChecker();

const report = {
  /** What has no description. */
  bare: [],
};

function textOf(symbol, name) {
  const text = ts.displayPartsToString(symbol.getDocumentationComment(checker));
  const tags = symbol
    .getJsDocTags(checker)
    .filter((tag) => ['param', 'returns', 'throws'].includes(tag.name))
    .map((tag) => `_@${tag.name}_ ${ts.displayPartsToString(tag.text)}`);
  if (text === '' && tags.length === 0) report.bare.push(name);
  return [text, ...tags]
    .filter((part) => part !== '')
    .join(' ')
    .replace(/\s*\n\s*/g, ' ')
    .replace(/\{@link (\w+)\}/g, '`$1`');
}

const printer = ts.createPrinter({ removeComments: true });

/** A declaration without its body. */
function signatureOf(node) {
  const text = printer.printNode(ts.EmitHint.Unspecified, node, node.getSourceFile());
  const body = node.body
    ? printer.printNode(ts.EmitHint.Unspecified, node.body, node.getSourceFile())
    : '';
  const head = body === '' ? text : text.slice(0, text.length - body.length);
  return head
    .replace(/^((export|readonly|override|async|abstract|public) )+/gm, '')
    .trim()
    .replace(/[;,]$/, '');
}

function isPublic(node) {
  if (node.name && ts.isPrivateIdentifier(node.name)) return false;
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;
  if ((ts.getCombinedModifierFlags(node) & hidden) !== 0) return false;
  return !ts.isSemicolonClassElement(node);
}

/** Signatures and descriptions of what a user sees of a class or an interface. */
function membersOf(node, name) {
  const own = node.members.filter(isPublic);
  return own.flatMap((member) => {
    if (ts.isConstructorDeclaration(member)) {
      const shown = signatureOf(member).replace(/^constructor/, `new ${name}`);
      return isInternal(member) ? [] : [[shown, '']];
    }
    const symbol = checker.getSymbolAtLocation(member.name);
    const known = ['[Symbol.asyncDispose]', '[Symbol.dispose]', '[Symbol.asyncIterator]', 'name'];
    const text = known.includes(member.name.getText())
      ? ''
      : textOf(symbol, `${name}.${member.name.getText()}`);
    return [[signatureOf(member).replace(/ = [^=>]*$/, ''), text]];
  });
}

/** What only the client itself makes. */
function isInternal({ parameters }) {
  return /\b(Calls|KeySpace|Channel)\b/.test(parameters.map((each) => each.getText()).join());
}

/** Bases that are not exported: their members are described with those of the class. */
function basesOf(node, exported) {
  const clauses = node.heritageClauses ?? [];
  return clauses
    .filter(({ token }) => token === ts.SyntaxKind.ExtendsKeyword)
    .flatMap(({ types }) => types)
    .map(({ expression }) => checker.getSymbolAtLocation(expression))
    .filter((symbol) => symbol && !exported.has(symbol.name))
    .flatMap((symbol) => symbol.declarations ?? [])
    .filter(
      (each) => ts.isClassDeclaration(each) && each.getSourceFile().fileName.startsWith(root),
    );
}

function sectionOf(symbol, exported) {
  const [node] = symbol.declarations;
  const { name } = symbol;
  const lines = [`### ${name}`, '', textOf(symbol, name), ''];
  if (ts.isClassDeclaration(node) || ts.isInterfaceDeclaration(node)) {
    const heritage = node.heritageClauses?.map((each) => each.getText()).join(' ') ?? '';
    const kind = ts.isClassDeclaration(node) ? 'class' : 'interface';
    lines.push('```ts', `${kind} ${name}${heritage && ` ${heritage}`}`, '```', '');
    const bases = basesOf(node, exported);
    for (const [signature, text] of [node, ...bases].flatMap((each) => membersOf(each, name))) {
      const code = signature.replace(/\s*\n\s*/g, ' ');
      lines.push(text === '' ? `- \`${code}\`` : `- \`${code}\`: ${text}`);
    }
  } else {
    const shown = ts.isVariableDeclaration(node) ? `const ${node.name.getText()}` : node.getText();
    lines.push('```ts', shown.replace(/^export /, '').replace(/\/\*\*[\s\S]*?\*\/\s*/g, ''), '```');
  }
  return `${lines.join('\n').trim()}\n`;
}

const module = checker.getSymbolAtLocation(program.getSourceFile(entry));
const symbols = checker
  .getExportsOfModule(module)
  .map((symbol) =>
    symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol,
  )
  .filter((symbol) => symbol.declarations && !ts.isSourceFile(symbol.declarations[0]));
const exported = new Set(symbols.map(({ name }) => name));
const isValue = (symbol) => (symbol.flags & ts.SymbolFlags.Value) !== 0;
const sorted = [...symbols].sort((a, b) => (a.name < b.name ? -1 : 1));
const sections = (title, list) =>
  [`## ${title}`, '', ...list.map((symbol) => sectionOf(symbol, exported))].join('\n');

const intro = readFileSync(join(root, 'src', 'client', 'intro.md'), 'utf8').trimEnd();
const text = [
  intro,
  '',
  sections('Classes and constants', sorted.filter(isValue)),
  sections(
    'Types',
    sorted.filter((symbol) => !isValue(symbol)),
  ),
].join('\n');

if (report.bare.length > 0) {
  console.error(`no description: ${report.bare.join(', ')}`);
  process.exit(1);
}
if (!process.argv.includes('--check')) writeFileSync(target, text);
else if (readFileSync(target, 'utf8') !== text) {
  console.error('docs/CLIENT.md is not current: run npm run document:client');
  process.exit(1);
}
