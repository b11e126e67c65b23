# polyrnn on the CPU: docker build -t polyrnn . && docker run --rm -v "$PWD:/data" polyrnn annotate images --boxes boxes.json
# No training (TensorFlow is left out) and no GPU. test/process/dockerfile.test.ts runs these steps without an engine.
FROM node:22-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
# No install script: the packages that have one would fetch libraries for GPUs.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY scripts ./scripts
COPY src ./src
RUN npm run build
RUN npm prune --omit=dev --ignore-scripts --no-audit --no-fund
RUN rm -rf node_modules/@tensorflow && node scripts/slim-install.mjs

FROM node:22-bookworm-slim
ENV NODE_ENV=production
WORKDIR /opt/polyrnn
COPY package.json LICENSE ./
COPY bin ./bin
COPY models/mobile ./models/mobile
COPY --from=build /build/node_modules ./node_modules
COPY --from=build /build/dist ./dist
USER node
WORKDIR /data
ENTRYPOINT ["node", "/opt/polyrnn/bin/polyrnn.js"]
CMD ["--help"]
