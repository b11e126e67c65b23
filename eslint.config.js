// Lint: type-checked rules, no `any`, no unexplained ignore, no floating promise.
import eslint from "@eslint/js";
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist/", "coverage/", "node_modules/", "polyrnn-out/", "eslint.config.js"] },
  eslint.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: { allowDefaultProject: ["bin/*.js"] }, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      "@typescript-eslint/ban-ts-comment": [
        "error",
        { "ts-expect-error": "allow-with-description", "ts-ignore": true },
      ],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      // Typed arrays and checked lengths: `values[i]!` inside a bounded loop says "this index exists".
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      // `const { left, out, ...rest } = whole` says which fields are left out.
      "@typescript-eslint/no-unused-vars": ["error", { ignoreRestSiblings: true }],
      eqeqeq: "error",
      "no-console": "error",
    },
  },
  { files: ["fixtures/**", "bench/**", "test/**"], rules: { "no-console": "off" } },
  {
    files: ["bin/*.js", "bench/*.mjs", "fixtures/**/*.mjs", "scripts/*.mjs", "test/faults/*.mjs", "test/process/*.mjs"],
    ...tseslint.configs.disableTypeChecked,
  },
  {
    files: ["bench/*.mjs", "fixtures/**/*.mjs", "scripts/*.mjs", "test/faults/*.mjs", "test/process/*.mjs"],
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
