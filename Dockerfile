# A member, or a proxy: docker-compose.yml says which. See docs/SELF-HOSTING.md.
FROM node:20-bookworm-slim

WORKDIR /opt/edgetcd
# The dependencies are a layer of their own: they change less often than the code.
COPY package.json package-lock.json ./
RUN npm ci --include=dev --no-audit --no-fund && npm cache clean --force
COPY . .
# Notes that everything is installed, so that nothing is written here when a member starts.
RUN node src/local/bootstrap.mjs member --help \
  && install -d -o node -g node -m 0700 /var/lib/edgetcd

ENV NODE_ENV=production \
  NPM_CONFIG_UPDATE_NOTIFIER=false \
  ETCD_DATA_DIR=/var/lib/edgetcd \
  ETCD_LISTEN_CLIENT_URLS=http://0.0.0.0:2379 \
  ETCD_LISTEN_PEER_URLS=http://0.0.0.0:2380
USER node
VOLUME /var/lib/edgetcd
EXPOSE 2379 2380
CMD ["npm", "run", "member"]
