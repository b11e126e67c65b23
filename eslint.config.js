// Lint: type-checked rules, no `any`, no unexplained ignore, no floating promise.
import eslint from "@eslint/js";
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist/", "coverage/", "node_modules/", "polyrnn-out/", "eslint.config.js"] },
  eslint.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ["bin/*.js", "bin/*.mjs"] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      "@typescript-eslint/ban-ts-comment": [
        "error",
        { "ts-expect-error": "allow-with-description", "ts-ignore": true },
      ],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      // Typed arrays and checked lengths: `values[i]!` inside a bounded loop says "this index exists".
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "separate-type-imports" }],
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      // `const { left, out, ...rest } = whole` says which fields are left out.
      "@typescript-eslint/no-unused-vars": ["error", { ignoreRestSiblings: true }],
      "no-restricted-syntax": [
        "error",
        {
          selector: "ImportSpecifier[importKind='type']",
          message: "Import types in a statement of their own: import type { ... } from ...",
        },
        {
          selector: "CatchClause > Identifier.param[name!='error']",
          message: "A caught error is called error.",
        },
      ],
      eqeqeq: "error",
      "no-console": "error",
    },
  },
  { files: ["src/**"], rules: { "max-params": ["error", 4] } },
  {
    // Help has to start at once: what is heavy is imported when a command runs, with await import(). An options.js holds
    // limits and defaults, queue/address.js a few lines on text: neither loads anything else.
    files: ["src/cli/commands/*.ts"],
    rules: {
      "@typescript-eslint/no-restricted-imports": [
        "error",
        {
          patterns: [
            {
              regex:
                "^\\.\\./\\.\\./(annotate|clicks|crop|dataset|engine|evaluate|files|merge|model|page|predict|queue|report|runs|train|write)/(?!(options|address)\\.js$)",
              allowTypeImports: true,
              message: "Import it in the command's run function with await import().",
            },
          ],
        },
      ],
    },
  },
  { files: ["fixtures/**", "bench/**", "test/**"], rules: { "no-console": "off" } },
  {
    files: ["bin/*.{js,mjs}", "bench/*.mjs", "fixtures/**/*.mjs", "scripts/*.mjs", "test/**/*.mjs"],
    ...tseslint.configs.disableTypeChecked,
  },
  // CommonJS, as its head says.
  { files: ["bin/*.js"], rules: { "@typescript-eslint/no-require-imports": "off" } },
  {
    files: ["bench/*.mjs", "fixtures/**/*.mjs", "scripts/*.mjs", "test/**/*.mjs"],
    languageOptions: {
      globals: {
        URL: "readonly",
        console: "readonly",
        process: "readonly",
        performance: "readonly",
        AbortController: "readonly",
      },
    },
  },
);
